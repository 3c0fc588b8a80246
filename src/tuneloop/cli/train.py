"""``tuneloop train``: a base model and a dataset into a tuned model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tuneloop.cli import _options, _told
from tuneloop.cli._progress import working

if TYPE_CHECKING:
    from tuneloop.recipe import Recipe


@click.command("train")
@_options.recipe
@_options.changes
@_options.store
@_options.devices
@click.option(
    "--continue-from",
    metavar="RUN",
    help="Go on from a stopped run with changed steps, such as another batch size: latest, or its work folder's name.",
)
@click.option("--auto", is_flag=True, help="Go on: change what the run shows to be wrong, as tuneloop improve does.")
@_options.as_json
def command(
    recipe: Path,
    changes: tuple[str, ...],
    folder: Path,
    devices: int | None,
    continue_from: str | None,
    auto: bool,
    as_json: bool,
) -> None:
    """Train the recipe's base model on its rows.

    A run that was stopped goes on where it was.
    """
    if _options.followed():
        return
    read = _options.read(recipe, changes, devices)
    from tuneloop import life

    if auto:
        _auto(read, recipe, changes, folder, continue_from, as_json=as_json)
        return
    with working() as progress:
        run, model = life.train(read, _options.open_store(folder, make=True), progress, continue_from=continue_from)
    _told.artifact(model, as_json=as_json, then=lambda _: _told.findings(run))
    if not as_json:
        wrong = next((found.change for found in run.findings() if found.severity == "error" and found.change), "")
        again = (*changes, wrong) if wrong else changes
        _told.then(f"tuneloop {'train' if wrong else 'evaluate'} {recipe}{_options.again(again, folder)}")


def _auto(
    read: Recipe, recipe: Path, changes: tuple[str, ...], folder: Path, continue_from: str | None, *, as_json: bool
) -> None:
    from tuneloop import life
    from tuneloop.cli import improve

    if continue_from:
        raise click.UsageError("--continue-from goes on with one run, --auto makes several: give one of them")
    with working() as progress:
        done = life.improve(read, _options.open_store(folder, make=True), progress)
    improve.told(done, what=str(recipe), changes=changes, store=folder, as_json=as_json)
