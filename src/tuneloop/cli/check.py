"""``tuneloop check``: read a recipe and show it with every default spelled out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tuneloop.cli import _options

if TYPE_CHECKING:
    from tuneloop.recipe import Recipe


@click.command("check")
@_options.recipe
@_options.changes
@_options.as_json
def command(recipe: Path, changes: tuple[str, ...], as_json: bool) -> None:
    """Check a recipe and print it with every default spelled out.

    Every problem is told at once, with its line and its fix. The rows, and the files and packages that
    the steps need, must be there; nothing is loaded or trained.
    """
    read = _options.read(recipe, changes)
    _foresee(read, recipe)
    if as_json:
        _options.print_json(read.spelled())
        return
    from tuneloop.recipe.spell import spell

    click.echo(spell(read), nl=False)
    click.echo(f"# {recipe} is sound. next: tuneloop estimate {recipe}   then: tuneloop run {recipe}")


def _foresee(read: Recipe, file: Path) -> None:
    """Tell of everything that the data section needs and that is not there.

    Raises:
        RecipeError: Something is not.
    """
    from tuneloop.data.foresight import foresee
    from tuneloop.errors import RecipeError

    missing = [replace(problem, where=f"{file} {problem.where}") for problem in foresee(read.data, read.folder)]
    if missing:
        raise RecipeError.of(missing)
