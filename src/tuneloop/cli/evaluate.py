"""``tuneloop evaluate``: measure the tuned model against its base."""

from __future__ import annotations

from pathlib import Path

import click

from tuneloop.cli import _options, _told
from tuneloop.cli._progress import working


@click.command("evaluate")
@_options.recipe
@click.option("--model", default="", metavar="NAME", help="Ref or id of a model; by default the recipe's own.")
@_options.changes
@_options.store
@_options.as_json
def command(recipe: Path, model: str, changes: tuple[str, ...], folder: Path, as_json: bool) -> None:
    """Measure the tuned model against its base.

    Both answer the same held-out rows; the report is a page and a JSON file.
    """
    read = _options.read(recipe, changes)
    from tuneloop import life
    from tuneloop.store import Model

    store = _options.open_store(folder, make=True)
    chosen = store.get(Model, model) if model else None
    with working() as progress:
        report = life.evaluate(read, store, progress, model=chosen)
    if as_json:
        _options.print_json({"id": report.id, "folder": str(report.folder), "scores": report.scores})
        return
    _told.artifact(report, then=_told.scores)
    _told.then(f"tuneloop export {recipe}{_options.said(folder)}", f"tuneloop release {recipe}{_options.said(folder)}")
