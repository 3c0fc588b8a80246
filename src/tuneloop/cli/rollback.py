"""``tuneloop rollback``: serve again what was served before."""

from __future__ import annotations

from pathlib import Path

import click

from tuneloop.cli import _options, _told
from tuneloop.cli._progress import working


@click.command("rollback")
@click.argument("recipe")
@click.option("--why", default="", help="The reason, kept in the log.")
@_options.store
def command(recipe: str, why: str, folder: Path) -> None:
    """Serve again what was served before.

    The championship goes back to who had it before; repeated, further back.
    RECIPE is the recipe's file or its name. A running service follows at once.
    """
    from tuneloop import life

    with working() as progress:
        moved = life.rollback(_options.name_of(recipe), _options.open_store(folder), why=why, progress=progress)
    _told.move(moved)
