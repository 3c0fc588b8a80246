"""``tuneloop run``: the whole life of a recipe."""

from __future__ import annotations

from pathlib import Path

import click

from tuneloop.cli import _options, _told
from tuneloop.cli._progress import working


@click.command("run")
@_options.recipe
@_options.changes
@_options.store
@_options.devices
@_options.as_json
def command(recipe: Path, changes: tuple[str, ...], folder: Path, devices: int | None, as_json: bool) -> None:
    """Walk a recipe's whole life, from raw rows to a release.

    That is prepare, train, evaluate, export, release.
    What was done before with the same inputs is found in the store and costs nothing. The first release
    becomes the champion.
    """
    if _options.followed():
        return
    read = _options.read(recipe, changes, devices)
    from tuneloop import life

    store = _options.open_store(folder, make=True)
    with working() as progress:
        done = life.run(read, store, progress)
    _told.whole_life(done, as_json=as_json)
    if as_json:
        return
    if "labels" in done.model.facts:
        _told.then(
            f"tuneloop export {recipe}{_options.again(changes, folder)}   (a classifier is used by its exported folder)"
        )
    elif store.resolve(f"{read.name}/champion") == done.release.id:
        said = _options.said(folder)
        _told.then(f"tuneloop chat {read.name}/champion{said}", f"tuneloop serve {recipe}{said}")
    else:
        _told.then(f"tuneloop promote {recipe}{_options.said(folder)}   (another release is the champion)")
