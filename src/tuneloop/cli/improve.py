"""``tuneloop improve``: train, see what is wrong, change one thing, train again, within a budget."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tuneloop.cli import _options, _told
from tuneloop.cli._progress import working
from tuneloop.cli._screen import paragraph, table

if TYPE_CHECKING:
    from tuneloop.life import Improved


@click.command("improve")
@click.argument("what", metavar="RECIPE|RUN")
@click.option("--runs", type=int, help="Most trainings; by default improve.runs of the recipe.")
@click.option("--target", type=float, metavar="LOSS", help="Held-out loss at which it is good enough.")
@_options.changes
@_options.store
@_options.as_json
def command(
    what: str, runs: int | None, target: float | None, changes: tuple[str, ...], folder: Path, as_json: bool
) -> None:
    """Improve a recipe by what its runs show.

    It trains, reads the curves, changes one thing, and trains again, until the target or the budget is reached or
    nothing more is gained; it says so when rows, not settings, are what is missing. Every decision is in a journal.
    With a RUN (ref or id, such as faq/run) its rows stay as they are.
    """
    made = tuple(f"improve.{name}={value}" for name, value in (("runs", runs), ("target", target)) if value is not None)
    from tuneloop import life
    from tuneloop.store import Dataset, Run

    if Path(what).is_file() or Path(what).suffix in (".yaml", ".yml"):
        recipe, dataset = _options.read(Path(what), changes + made), None
        store = _options.open_store(folder, make=True)
    else:
        store = _options.open_store(folder)
        run = store.get(Run, what)
        recipe, dataset = life.of_run(run, Path(), changes + made), store.get(Dataset, run.parents["dataset"])
    with working() as progress:
        done = life.improve(recipe, store, progress, dataset=dataset)
    told(done, what=what, changes=changes, store=folder, as_json=as_json)


def told(done: Improved, *, what: str, changes: tuple[str, ...], store: Path, as_json: bool) -> None:
    """Print what was tried, what came of it, and how to have it again."""
    if as_json:
        from tuneloop.improving.journal import plain

        story = done.ending.story
        attempts = [plain(each) for each in story.attempts]
        ids = {"run": done.run.id, "model": done.model.id, "journal": str(done.journal)}
        ended = {"reason": done.ending.reason, "told": done.ending.told}
        _options.print_json({**ids, "best": story.best, "ended": ended, "attempts": attempts})
        return
    story = done.ending.story
    rows = [
        (
            f"{each.number}{'*' if each.number == story.best else ''}",
            ", ".join(each.changed) or "as written",
            f"{each.loss:.4f}" if math.isfinite(each.loss) else "failed",
            each.move,
        )
        for each in story.attempts
    ]
    table(("attempt", "change", "held-out loss", "asked for by"), rows, right=(2,))
    click.echo()
    click.secho(paragraph(done.ending.told, 0), bold=True)
    _told.artifact(done.model, then=lambda _: _told.findings(done.run))
    click.echo(f"journal  {done.journal / 'journal.md'}")
    if not Path(what).is_file():
        return
    best = tuple(f"{path}={value}" for path, value in story.leading.changes.items())
    _told.then(f"tuneloop evaluate {what}{_options.again((*changes, *best), store)}")
