"""``tuneloop promote``: make a release the one that is served."""

from __future__ import annotations

from pathlib import Path

import click

from tuneloop.cli import _options, _told
from tuneloop.cli._progress import working


@click.command("promote")
@click.argument("recipe")
@click.argument("what", required=False)
@click.option("--why", default="promote", help="The reason, kept in the log.")
@_options.store
def command(recipe: str, what: str | None, why: str, folder: Path) -> None:
    """Make a release the champion: the one that is served.

    RECIPE is the recipe's file or its name; WHAT a release or model, by default the challenger.
    """
    from tuneloop import life

    with working() as progress:
        moved = life.promote(_options.name_of(recipe), _options.open_store(folder), what, why=why, progress=progress)
    _told.move(moved)
