"""``tuneloop export``: the tuned model in the forms of other tools."""

from __future__ import annotations

from pathlib import Path

import click

from tuneloop.cli import _options, _told
from tuneloop.cli._progress import working


@click.command("export")
@_options.recipe
@click.option("--model", default="", metavar="NAME", help="Ref or id of a model; by default the recipe's own.")
@_options.changes
@_options.store
@_options.as_json
def command(recipe: Path, model: str, changes: tuple[str, ...], folder: Path, as_json: bool) -> None:
    """Write the tuned model for other tools.

    Each form is checked against the original before it counts.
    """
    read = _options.read(recipe, changes)
    from tuneloop import life
    from tuneloop.store import Model

    store = _options.open_store(folder, make=True)
    chosen = store.get(Model, model) if model else None
    with working() as progress:
        bundle = life.export(read, store, progress, model=chosen)
    _told.artifact(bundle, as_json=as_json, then=_told.bundle)
    if not as_json:
        _told.then(f"tuneloop release {recipe}{_options.again(changes, folder)}")
