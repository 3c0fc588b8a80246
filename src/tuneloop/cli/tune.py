"""``tuneloop tune``: search better options."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tuneloop.cli import _options, _told
from tuneloop.cli._progress import working
from tuneloop.cli._screen import duration, figure, pairs, table

SHOWN = 20


@click.command("tune")
@_options.recipe
@_options.changes
@_options.store
@click.option("--trials", type=click.IntRange(min=1), metavar="N", help="Trials at most (tune.trials).")
@click.option("--workers", type=click.IntRange(min=1), metavar="N", help="Trials at the same time (tune.workers).")
@click.option(
    "--save",
    "target",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the recipe with the best values there.",
)
@_options.as_json
def command(
    recipe: Path,
    changes: tuple[str, ...],
    folder: Path,
    trials: int | None,
    workers: int | None,
    target: Path | None,
    as_json: bool,
) -> None:
    """Search better values for options of the recipe.

    Its tune section names them, and every trial is a training. A search that was stopped or killed goes on, and no
    finished trial is trained again; with more trials, a search that was done goes on too. The best trial's model
    becomes the recipe's own.
    """
    if target is not None and target.resolve() == recipe.resolve():
        from tuneloop.errors import RecipeError

        fix = f"name another file, such as {recipe.with_name(f'{recipe.stem}-best.yaml')}"
        raise RecipeError("the search would write over its own recipe", where=f"--save {target}", fix=fix)
    asked = [f"tune.{name}={count}" for name, count in (("trials", trials), ("workers", workers)) if count]
    read = _options.read(recipe, (*changes, *asked))
    from tuneloop import life
    from tuneloop.recipe.saved import save

    with working() as progress:
        study = life.tune(read, _options.open_store(folder, make=True), progress)
    summary = study.summary
    best = summary["best"]
    if target is not None:
        why = f"the best of {len(summary['trials'])} trials of {study.id}: {summary['metric']} {figure(best['score'])}"
        save(recipe, [*changes, *best["changes"]], target, why=why, leave_out="tune")
    if as_json:
        _options.print_json({"id": study.id, "folder": str(study.folder), **summary})
        return
    _trials(summary)
    _rest(summary, study.folder)
    said = _options.said(folder)
    if target is not None:
        beside = target.absolute().parent == recipe.absolute().parent  # elsewhere its rows have other names
        done = "   (its training is done)" if beside else ""
        _told.then(f"tuneloop evaluate {target}{said}{done}", f"tuneloop run {target}{said}")
    else:
        again = f"tuneloop tune {recipe}{_options.again((*changes, *asked), folder)} --save best.yaml"
        _told.then(f"{again}   (writes the best recipe; nothing is trained again)")


def _trials(summary: dict[str, Any]) -> None:
    """Print the trials, those trained to the end first and the best at the top."""
    paths = list(dict.fromkeys(path for trial in summary["trials"] for path in trial["values"]))
    names = [_short(path, paths) for path in paths]
    rows = []
    for trial in summary["trials"][:SHOWN]:
        values = [_value(trial["values"][path]) if path in trial["values"] else "" for path in paths]
        score = "" if trial["score"] is None else f"{trial['score']:.5g}"
        told = trial["failure"] or (trial["state"] if trial["ended"] else f"paused at {trial['share']:.0%}")
        rows.append([trial["trial"], score, *values, f"{trial['epochs']:.3g}", told])
    table(["trial", summary["metric"], *names, "epochs", "state"], rows, right=range(len(names) + 3))
    hidden = len(summary["trials"]) - SHOWN
    if hidden > 0:
        click.echo(f"and {hidden} more: --json, or trials.jsonl of the study")


def _rest(summary: dict[str, Any], folder: Path) -> None:
    shares = {path: f"{share:.0%}" for path, share in summary["importance"].items()}
    cost = summary["cost"]
    click.echo()
    pairs(
        {
            "best": "  ".join(f"--set {change}" for change in summary["best"]["changes"]),
            "importance": "  ".join(f"{path} {share}" for path, share in shares.items()) or "too few trials to say",
            "cost": f"{cost['epochs']:.4g} epochs, {cost['steps']:,} steps, {duration(cost['seconds'])} of training",
            "pictures": ", ".join(path.name for path in sorted(folder.glob("*.png"))),
            "study": str(folder),
        }
    )


def _short(path: str, paths: list[str]) -> str:
    """The last word of a path, or as many as tell it from the others."""
    words = path.split(".")
    for count in range(1, len(words)):
        ending = ".".join(words[-count:])
        if sum(other == path or other.endswith(f".{ending}") for other in paths) == 1:
            return ending
    return path


def _value(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
