"""``tuneloop prepare``: raw rows into a dataset version."""

from __future__ import annotations

from pathlib import Path

import click

from tuneloop.cli import _options, _told
from tuneloop.cli._progress import working

STOPPED = "\nstopped. Nothing is kept but what was fetched: the same command prepares the rows from the beginning."


@click.command("prepare")
@_options.recipe
@_options.changes
@_options.store
@click.option("--refresh", is_flag=True, help="Fetch again what was fetched from elsewhere before.")
@_options.as_json
def command(recipe: Path, changes: tuple[str, ...], folder: Path, refresh: bool, as_json: bool) -> None:
    """Turn raw rows into a dataset version.

    What became of every row is counted: kept, or set aside with a reason. What was fetched from an API is kept and
    used again, until --refresh.
    """
    read = _options.read(recipe, changes)
    from tuneloop import life
    from tuneloop.store import Dataset

    store = _options.open_store(folder, make=True)
    known = {each.id for each in store.artifacts(Dataset)}
    try:
        with working() as progress:
            dataset = life.prepare(read, store, progress, refresh=refresh)
    except KeyboardInterrupt:
        click.echo(STOPPED, err=True)
        click.get_current_context().exit(130)
    _told.artifact(dataset, as_json=as_json, then=_told.dataset)
    if not as_json:
        if dataset.id in known:
            click.echo("found again: nothing to do")
        rest = f"{recipe}{_options.again(changes, folder)}"
        _told.then(f"tuneloop estimate {rest}", f"tuneloop run {rest}")
