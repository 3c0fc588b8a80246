"""``tuneloop push``: artifacts and refs into another store, or to the remote of a Git repository with DVC."""

from __future__ import annotations

from pathlib import Path

import click

from tuneloop.cli import _options, _sent


@click.command("push")
@click.argument("remote", type=click.Path(path_type=Path))
@click.argument("names", nargs=-1)
@_sent.options
@_options.store
@_options.as_json
def command(remote: Path, names: tuple[str, ...], folder: Path, as_json: bool, **how: bool) -> None:
    """Copy artifacts and refs to another place.

    REMOTE is the folder of another store, on this machine or a mounted share, or the work tree of a Git repository
    with DVC. NAMES are refs, recipes (file or name) or ids, by default all refs; what they were made from goes with
    them.
    """
    _sent.show(_sent.go(_options.open_store(folder), remote, names, how, back=False), as_json, "pushed")
