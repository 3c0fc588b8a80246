"""What several commands take: the recipe, changes to it, the store, machine-readable output."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from tuneloop.recipe import Recipe
    from tuneloop.store import Store

USUAL = Path(".tuneloop")
recipe = click.argument("recipe", type=click.Path(path_type=Path))
changes = click.option(
    "--set", "changes", multiple=True, metavar="PATH=VALUE", help="Change the recipe, such as train.batch.size=8."
)
store = click.option(
    "--store", "folder", type=click.Path(path_type=Path), default=USUAL, show_default=True, help="The store."
)
devices = click.option(
    "--devices", type=click.IntRange(min=1), metavar="N", help="Share the training among N processes (train.devices)."
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


def read(path: Path, changes: tuple[str, ...], devices: int | None = None) -> Recipe:
    """Read a recipe, with the changes of the command line.

    Raises:
        RecipeError: Something is wrong in it.
    """
    from tuneloop.data.files import endings
    from tuneloop.errors import RecipeError
    from tuneloop.recipe import load

    plain = Path(path.name.removesuffix(".gz"))
    if plain.suffix.lower() in endings().keys() - {".json"} and path.exists():
        fix = f"write a recipe for them first: tuneloop new {path}"
        raise RecipeError("this looks like rows, not like a recipe", where=str(path), fix=fix)
    return load(path, changes if devices is None else (*changes, f"train.devices={devices}"))


def followed() -> bool:
    """Take part in a training that torchrun started several processes for, if this is not the first of them.

    Returns:
        Whether this process has done its part: the first one alone does the rest of the command.

    Raises:
        TuneloopError: The training cannot go on.
    """
    if int(os.environ.get("RANK", "0")) == 0:
        return False
    from tuneloop.training.train import follow

    follow()
    return True


def open_store(folder: Path, *, make: bool = False) -> Store:
    """Open a store; only commands that put something in make one that is not there.

    Raises:
        StoreError: There is no store, or it cannot be written.
    """
    from tuneloop.errors import StoreError
    from tuneloop.store import Store

    if not make and not (folder / "artifacts").is_dir():
        raise StoreError(
            "there is no store here",
            where=str(folder.absolute()),
            fix="go to the folder of your recipe, name the store with --store FOLDER, or make one: tuneloop demo",
        )
    return Store(folder)


def said(folder: Path) -> str:
    """The ``--store`` option as a next command needs it; empty for the usual store."""
    return "" if folder == USUAL else f" --store {folder}"


def again(changes: tuple[str, ...], folder: Path) -> str:
    """The options that a next command needs to speak of the same recipe and store as this one."""
    return "".join(f" --set {shlex.quote(change)}" for change in changes) + said(folder)


def name_of(given: str) -> str:
    """The recipe's name, where the name itself or a recipe file is given."""
    from tuneloop.store.naming import composed

    if given.endswith((".yaml", ".yml")):
        return read(Path(given), ()).name
    return composed(given)


def print_json(value: Any) -> None:
    """Print a value as indented JSON."""
    import json

    click.echo(json.dumps(value, ensure_ascii=False, indent=2, default=str))
