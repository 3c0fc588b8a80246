"""``tuneloop evaluate``: measure the tuned model against its base."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tuneloop.cli import _options, _told
from tuneloop.cli._progress import working
from tuneloop.cli._screen import figure, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tuneloop.evaluation.gates.passing import Passed

CLOSED = 3
"""The status with which a closed gate ends the command."""


@click.command("evaluate")
@_options.recipe
@click.option("--model", default="", metavar="NAME", help="Ref or id of a model; by default the recipe's own.")
@click.option("--against", multiple=True, metavar="NAME", help="Another model to measure on the same rows.")
@click.option("--gate", is_flag=True, help="End with status 3 where one of evaluate.gates is not passed.")
@_options.changes
@_options.store
@_options.as_json
def command(
    recipe: Path,
    model: str,
    against: tuple[str, ...],
    gate: bool,
    changes: tuple[str, ...],
    folder: Path,
    as_json: bool,
) -> int:
    """Measure the tuned model against its base.

    Both answer the same held-out rows, and so does the champion where there is one; the report is a page and a JSON
    file.
    """
    read = _options.read(recipe, changes)
    from tuneloop import life
    from tuneloop.errors import RecipeError
    from tuneloop.life import measuring
    from tuneloop.store import Model

    if gate and not read.evaluate.gates:
        raise RecipeError(
            "the recipe has no gates",
            where=f"{recipe} evaluate.gates",
            fix="name one: gates: [{metric: exact_match, at_least: 0.9}]",
        )
    if against:
        section = read.evaluate.model_copy(update={"against": [*read.evaluate.against, *against]})
        read = read.model_copy(update={"evaluate": section}).at(read.folder)
    store = _options.open_store(folder, make=True)
    chosen = store.get(Model, model) if model else None
    with working() as progress:
        report = life.evaluate(read, store, progress, model=chosen)
    passed = measuring.gates(read, report)
    closed = gate and not all(one.lets_through for one in passed)
    if as_json:
        held = [{name: getattr(one, name) for name in one.__struct_fields__} for one in passed]
        told = {"id": report.id, "folder": str(report.folder), "scores": report.scores}
        _options.print_json(told | {"gates": held, "passed": not closed})
        return CLOSED if closed else 0
    _told.artifact(report, then=_told.scores)
    _gates(passed)
    if closed:
        return CLOSED
    rest = f"{recipe}{_options.again(changes, folder)}"
    _told.then(f"tuneloop export {rest}", f"tuneloop release {rest}")
    return 0


def _gates(passed: Sequence[Passed]) -> None:
    """Print every gate with the figure and the interval that decided."""
    if not passed:
        return
    rows = [
        (
            one.outcome,
            one.gate,
            "-" if one.value is None else figure(one.value),
            "" if one.low is None or one.high is None else f"{figure(one.low)} to {figure(one.high)}",
            f"{one.n:,}",
        )
        for one in passed
    ]
    click.echo()
    table(("gate", "asks for", "found", "interval", "rows"), rows, right=(2, 4))
    unsure = sum(one.outcome == "unsure" for one in passed)
    if unsure:
        click.echo("unsure: the figure is on the right side, but its interval is not: hold more rows out")
