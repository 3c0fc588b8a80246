"""``tuneloop find``: the learning rate, the batch or the rank, from short trials on the recipe's own rows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from tuneloop.cli import _options, _told
from tuneloop.cli._progress import working
from tuneloop.cli._screen import figure, pairs, size, table

if TYPE_CHECKING:
    from tuneloop.training.finders.batch import Batch
    from tuneloop.training.finders.rank import Rank
    from tuneloop.training.finders.rate import Rate

to_file = click.option(
    "--apply",
    "target",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write the recipe with what was found as a new file beside it; comments are not carried over.",
)


@click.group("find")
def command() -> None:
    """Find learning rate, batch size or rank by short trials.

    The trials learn from the recipe's own rows; nothing of them is kept.
    """


@command.command("rate")
@_options.recipe
@click.option("--sweep", default=100, show_default=True, type=click.IntRange(min=20), help="Steps of the range test.")
@click.option(
    "--steps",
    default=50,
    show_default=True,
    type=click.IntRange(min=0),
    help="Steps of each short run after it; 0 trusts the range test alone.",
)
@click.option("--picture", type=click.Path(path_type=Path), metavar="FILE", help="Draw what was seen, as PNG.")
@_options.changes
@_options.store
@_options.as_json
@to_file
def rate(
    recipe: Path,
    sweep: int,
    steps: int,
    picture: Path | None,
    changes: tuple[str, ...],
    folder: Path,
    as_json: bool,
    target: Path | None,
) -> None:
    """Find the learning rate.

    A range test lets the rate grow until the loss diverges. Then short runs, all from the same start and half a
    decade apart, are compared by their held-out loss.
    """
    if picture is not None and not picture.absolute().parent.is_dir():
        raise click.BadParameter(f"there is no folder {picture.parent}", param_hint="--picture")
    read = _options.read(recipe, changes)
    from tuneloop.life.finding import find_rate

    with working() as progress:
        found = find_rate(read, _options.open_store(folder, make=True), progress, sweep=sweep, steps=steps)
    if picture is not None:
        from tuneloop.store.disk import writing
        from tuneloop.training.finders.picture import picture as draw

        with writing(picture):
            picture.write_bytes(draw(found))
    if as_json:
        _as_json(found)
    else:
        _show_rate(found)
        if picture is not None:
            click.echo(f"picture: {picture}")
    _finish(recipe, changes, [found.change] if found.change else [], folder, target, as_json)


@command.command("batch")
@_options.recipe
@click.option(
    "--scale-rate",
    "scale",
    type=click.Choice(["sqrt", "linear"]),
    help="Let the whole step grow to the fastest size, and the learning rate with it by this rule.",
)
@_options.changes
@_options.store
@_options.as_json
@to_file
def batch(
    recipe: Path,
    scale: Literal["sqrt", "linear"] | None,
    changes: tuple[str, ...],
    folder: Path,
    as_json: bool,
    target: Path | None,
) -> None:
    """Find how many rows go through the model at once.

    Every size is tried with the longest rows, evaluation counted in, and timed with usual ones. The fewest rows that
    are as fast as the fastest are proposed.
    """
    read = _options.read(recipe, changes)
    from tuneloop.life.finding import find_batch

    with working() as progress:
        found = find_batch(read, _options.open_store(folder, make=True), progress, scale=scale)
    if as_json:
        _as_json(found)
    else:
        _show_batch(found)
    _finish(recipe, changes, found.changes, folder, target, as_json)


@command.command("rank")
@_options.recipe
@click.option("--steps", default=100, show_default=True, type=click.IntRange(min=1), help="Steps of each run.")
@click.option("--budget", type=click.IntRange(min=1), help="Trained parameters at most; by default there is no bound.")
@_options.changes
@_options.store
@_options.as_json
@to_file
def rank(
    recipe: Path,
    steps: int,
    budget: int | None,
    changes: tuple[str, ...],
    folder: Path,
    as_json: bool,
    target: Path | None,
) -> None:
    """Find the rank and the target layers of LoRA.

    Short runs at several ranks, all with the same rows in the same order, are compared by their held-out loss; and
    it is measured what is left of the best one's gain when one kind of layer alone keeps what it learned.
    """
    read = _options.read(recipe, changes)
    from tuneloop.life.finding import find_rank

    with working() as progress:
        found = find_rank(read, _options.open_store(folder, make=True), progress, steps=steps, budget=budget)
    if as_json:
        _as_json(found)
    else:
        _show_rank(found)
    _finish(recipe, changes, found.changes, folder, target, as_json)


def _as_json(found: Any) -> None:
    import msgspec

    _options.print_json(msgspec.json.decode(msgspec.json.encode(found)))


def _finish(
    recipe: Path, changes: tuple[str, ...], found: Sequence[str], folder: Path, target: Path | None, as_json: bool
) -> None:
    """Say what to write, and write it where that is asked for."""
    if found and not as_json:
        click.echo()
        for change in found:
            click.secho(f"--set {_quoted(change)}", bold=True)
    if target is not None and found:
        from tuneloop.life.finding import write_changed

        made = write_changed(recipe, [*changes, *found], target)
        if not as_json:
            _told.then(f"tuneloop train {made}{_options.said(folder)}")


def _quoted(change: str) -> str:
    import shlex

    return shlex.quote(change)


def _show_rate(found: Rate) -> None:
    marks = {"steepest descent": found.steepest, "divergence": found.divergence, "in the recipe": found.written}
    pairs({name: "not seen" if value is None else figure(value) for name, value in marks.items()})
    if found.trials:
        click.echo(f"\nshort runs of {found.steps} steps; held-out loss before: {figure(found.start)}")
        lines = [
            (
                figure(each.rate),
                "diverged" if each.held_out is None else f"{each.held_out:.4f}",
                "" if not each.above or each.error is None else f"{each.above:+.4f} ± {each.error:.4f}",
            )
            for each in found.trials
        ]
        table(("rate", "held-out loss", "above the best"), lines, right=(0, 1, 2))
    click.echo(f"\n{found.why}")


def _show_batch(found: Batch) -> None:
    lines = [
        (
            str(each.rows),
            f"{each.tokens_per_second:,.0f}" if each.tokens_per_second else "-",
            size(each.peak),
            each.why or "fits",
        )
        for each in found.sizes
    ]
    table(("rows at once", "tokens/s", "peak", ""), lines, right=(0, 1, 2))
    click.echo(f"\non {found.device}, {size(found.free)} free: {found.why}")
    if found.answers is False:
        click.secho("the longest questions cannot be answered beside the optimizer's state", fg="red")
    if found.scaled:
        scaled = found.scaled
        told = f"{scaled.written:g} times {scaled.times:.3g} ({scaled.rule}, from {scaled.reference} rows)"
        click.echo(f"learning rate {scaled.rate:.3g}: {told}")


def _show_rank(found: Rank) -> None:
    lines = [
        (
            str(each.r),
            f"{each.parameters:,}",
            "diverged" if each.held_out is None else f"{each.held_out:.4f}",
            "" if not each.above or each.error is None else f"{each.above:+.4f} ± {each.error:.4f}",
        )
        for each in found.tried
    ]
    click.echo(f"short runs of {found.steps} steps; held-out loss before: {figure(found.start)}")
    table(("rank", "parameters", "held-out loss", "above the best"), lines, right=(0, 1, 2, 3))
    if found.kinds:
        click.echo()
        rows = [
            (each.name, str(each.layers), f"{each.parameters:,}", f"{each.share:.1%}", f"{each.together:.1%}")
            for each in found.kinds
        ]
        table(("layers", "", "parameters a rank", "gain kept alone", "with those above"), rows, right=(1, 2, 3, 4))
    click.echo(f"\n{found.why}")
    if found.r is not None:
        click.echo(f"{found.parameters:,} trained parameters")
