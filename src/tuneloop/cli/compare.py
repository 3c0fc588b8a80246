"""``tuneloop compare``: several models side by side on the same rows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tuneloop.cli import _options
from tuneloop.cli._progress import working
from tuneloop.cli._screen import figure, table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tuneloop.recipe import Recipe
    from tuneloop.store import Store


@click.command("compare")
@click.argument("models", nargs=-1, required=True, metavar="MODEL MODEL...")
@click.option("--recipe", "path", type=click.Path(path_type=Path), help="Says on what and how is measured.")
@click.option("--page", type=click.Path(path_type=Path), default=Path("compare.html"), help="Where the page goes.")
@_options.changes
@_options.store
@_options.as_json
def command(
    models: tuple[str, ...], path: Path | None, page: Path, changes: tuple[str, ...], folder: Path, as_json: bool
) -> None:
    """Lay several models side by side on the same rows.

    MODEL is a ref or id of a model or release; the others are compared with the first. Without --recipe the rows and
    the way of measuring are those of the first model's own recipe.
    """
    store = _options.open_store(folder)
    recipe = _options.read(path, changes) if path else _own(store, models[0], changes)
    from tuneloop.life import measuring
    from tuneloop.store.disk import writing

    with working() as progress:
        found = measuring.compare(recipe, store, models, progress)
    with writing(page):
        page.write_text(found.page, encoding="utf-8")
    if as_json:
        _options.print_json(found.told | {"page": str(page)})
        return
    _scores(found.told)
    _differences(found.told)
    click.echo(f"\npage: {page}")


def _own(store: Store, name: str, changes: tuple[str, ...]) -> Recipe:
    """The recipe that a model was made by, as its run keeps it."""
    import yaml

    from tuneloop.errors import StoreError
    from tuneloop.recipe import load
    from tuneloop.store import Run

    model = store.model(name)
    if "run" not in model.parents:
        raise StoreError(f"{model.id} has no run", where=name, fix="name a recipe: --recipe RECIPE")
    kept = store.get(Run, model.parents["run"]).folder / "recipe.yaml"
    return load(yaml.safe_load(kept.read_text(encoding="utf-8")), changes)


def _scores(told: Mapping[str, Any]) -> None:
    names = [model["name"] for model in told["models"]]
    figures = dict.fromkeys(name for each in names for name in told["scores"][each])
    rows = [[name, *(_mean(told["scores"][each].get(name)) for each in names)] for name in figures]
    click.echo()
    table(("", *names), rows, right=range(1, len(names) + 1))


def _mean(score: Mapping[str, Any] | None) -> str:
    return "-" if score is None else figure(float(score["mean"]))


def _differences(told: Mapping[str, Any]) -> None:
    rows = [
        (
            each["second"],
            each["first"],
            each["figure"],
            f"{each['found']['difference']:+.4f}",
            f"{each['found']['low']:+.4f} to {each['found']['high']:+.4f}",
            f"{each['holm']:.2g}",
            each["verdict"],
        )
        for each in told["compared"]
    ]
    click.echo()
    table(("model", "against", "figure", "difference", "95 %", "p (Holm)", ""), rows, right=(3, 5))
