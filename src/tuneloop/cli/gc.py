"""``tuneloop gc``: remove what no ref reaches."""

from __future__ import annotations

from pathlib import Path

import click

from tuneloop.cli import _options
from tuneloop.cli._screen import size


@click.command("gc")
@click.option("--history", default=3, show_default=True, help="Earlier values of each ref that are kept too.")
@click.option("--dry", is_flag=True, help="Only say what would go.")
@_options.store
def command(history: int, dry: bool, folder: Path) -> None:
    """Remove what no ref reaches.

    The last values of every ref are kept too, so that a roll-back still works.
    """
    from tuneloop.store import gc

    store = _options.open_store(folder)
    sizes = {each.id: sum(entry.size for entry in each.files.values()) for each in store.artifacts()}
    gone = gc.collect(store, history=history, dry=dry)
    for id in gone:
        click.echo(f"{'would remove' if dry else 'removed'} {id}  {size(sizes[id])}")
    click.echo(f"{len(gone)} of {len(sizes)} artifacts, {size(sum(sizes[id] for id in gone))}")
