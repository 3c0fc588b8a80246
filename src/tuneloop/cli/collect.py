"""``tuneloop collect``: corrections into the next dataset version."""

from __future__ import annotations

from pathlib import Path

import click

from tuneloop.cli import _options, _told
from tuneloop.cli._progress import working


@click.command("collect")
@_options.recipe
@_options.changes
@_options.store
@_options.as_json
def command(recipe: Path, changes: tuple[str, ...], folder: Path, as_json: bool) -> None:
    """Turn corrections into the next dataset version.

    A correction takes the place of an old row that asks the same.
    """
    read = _options.read(recipe, changes)
    from tuneloop import life

    with working() as progress:
        dataset = life.collect(read, _options.open_store(folder), progress)
    _told.artifact(dataset, as_json=as_json, then=_told.dataset)
    if not as_json:
        _told.then(f"tuneloop retrain {recipe}{_options.again(changes, folder)}")
