"""``tuneloop retrain``: learn from the corrections, going on from the champion."""

from __future__ import annotations

from pathlib import Path

import click

from tuneloop.cli import _options, _told
from tuneloop.cli._progress import working


@click.command("retrain")
@_options.recipe
@_options.changes
@_options.store
@_options.devices
@_options.as_json
def command(recipe: Path, changes: tuple[str, ...], folder: Path, devices: int | None, as_json: bool) -> None:
    """Learn from corrections, going on from the champion.

    Old rows are replayed so that nothing is forgotten. The result is measured and becomes the
    challenger; `tuneloop promote` makes it the champion.
    """
    if _options.followed():
        return
    read = _options.read(recipe, changes, devices)
    from tuneloop import life

    with working() as progress:
        done = life.retrain(read, _options.open_store(folder), progress)
    _told.whole_life(done, as_json=as_json)
    if not as_json:
        _told.then(f"tuneloop promote {recipe}{_options.said(folder)}")
