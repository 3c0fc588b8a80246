"""``tuneloop release``: declare a model fit to be served."""

from __future__ import annotations

from pathlib import Path

import click

from tuneloop.cli import _options, _told
from tuneloop.cli._progress import working


@click.command("release")
@_options.recipe
@click.option("--why", default="release", help="The reason, kept in the log.")
@_options.changes
@_options.store
@_options.as_json
def command(recipe: Path, why: str, changes: tuple[str, ...], folder: Path, as_json: bool) -> None:
    """Declare the latest model fit to be served.

    It becomes the challenger; `tuneloop promote` makes it the champion.
    """
    read = _options.read(recipe, changes)
    from tuneloop import life

    with working() as progress:
        made = life.release(read, _options.open_store(folder), why=why, progress=progress)
    _told.artifact(made, as_json=as_json)
    if not as_json:
        _told.then(f"tuneloop promote {recipe}{_options.said(folder)}")
