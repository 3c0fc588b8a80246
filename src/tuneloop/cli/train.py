"""``tuneloop train``: a base model and a dataset into a tuned model."""

from __future__ import annotations

from pathlib import Path

import click

from tuneloop.cli import _options, _told
from tuneloop.cli._progress import working


@click.command("train")
@_options.recipe
@_options.changes
@_options.store
@_options.as_json
def command(recipe: Path, changes: tuple[str, ...], folder: Path, as_json: bool) -> None:
    """Train the recipe's base model on its rows.

    A run that was stopped goes on where it was.
    """
    read = _options.read(recipe, changes)
    from tuneloop import life

    with working() as progress:
        run, model = life.train(read, _options.open_store(folder, make=True), progress)
    _told.artifact(model, as_json=as_json, then=lambda _: _told.findings(run))
    if not as_json:
        _told.then(f"tuneloop evaluate {recipe}{_options.said(folder)}")
