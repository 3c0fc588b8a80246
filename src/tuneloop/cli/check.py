"""``tuneloop check``: read a recipe and show it with every default spelled out."""

from __future__ import annotations

from glob import glob
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

    Every problem is told at once, with its line and its fix. The rows must be there; nothing is loaded or trained.
    """
    read = _options.read(recipe, changes)
    _sources(read, recipe)
    if as_json:
        _options.print_json(read.spelled())
        return
    from tuneloop.recipe.spell import spell

    click.echo(spell(read), nl=False)
    click.echo(f"# {recipe} is sound. next: tuneloop estimate {recipe}   then: tuneloop run {recipe}", err=True)


def _sources(read: Recipe, file: Path) -> None:
    """Tell of every source that is not there.

    Raises:
        RecipeError: Some are not.
    """
    from tuneloop.errors import Problem, RecipeError

    missing = [
        Problem(
            f"there are no rows at {source.path}",
            where=f"{file} data.sources.{index}.path, looked for in {read.folder.absolute()}",
            fix="give a file, folder or glob relative to the recipe, or hf://owner/name",
        )
        for index, source in enumerate(read.data.sources)
        if "://" not in source.path and not glob(str(read.folder / source.path), recursive=True)  # noqa: PTH207
    ]
    if missing:
        raise RecipeError.of(missing)
