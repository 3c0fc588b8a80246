"""``tuneloop new``: write a commented recipe for a file of rows."""

from __future__ import annotations

from glob import glob
from pathlib import Path

import click


@click.command("new")
@click.argument("data")
@click.option("--base", default="embedded", show_default=True, help="Base model: folder, Hugging Face name, embedded.")
@click.option("--name", default="", help="The recipe's name; by default that of the file.")
@click.option("--output", "-o", type=click.Path(path_type=Path), help="Where to write it; by default NAME.yaml here.")
@click.option("--force", is_flag=True, help="Write over a file that is there.")
def command(data: str, base: str, name: str, output: Path | None, force: bool) -> None:
    """Write a commented recipe for rows of your own.

    DATA is a file, a folder, a glob, or hf://owner/name. The rows may be JSON lines, JSON, CSV, TSV,
    Parquet or text, in any of the usual forms; it is said what they are taken for.
    """
    from tuneloop.errors import DataError, RecipeError
    from tuneloop.recipe.new import named, starter
    from tuneloop.store.disk import writing

    if "://" not in data and not glob(data):  # noqa: PTH207 - Path.glob takes no absolute pattern
        raise DataError("there are no rows here", where=data, fix="name a file, a folder or a glob that is there")
    name = name or named(data)
    target = output or Path(f"{name}.yaml")
    if target.exists() and not force:
        raise RecipeError(f"{target} is there already", where=str(target), fix="give --output FILE, or --force")
    text = starter(data, folder=target.parent, base=base, name=name)
    with writing(target):
        target.write_text(text, encoding="utf-8")
    click.echo(f"wrote {target}")
    if "://" not in data:
        _rows(data)
    click.echo(f"next: tuneloop check {target}   then: tuneloop run {target}")


def _rows(data: str) -> None:
    """Say what the rows are taken for, with the first of each file."""
    from tuneloop.data.glance import look
    from tuneloop.data.section import Source

    for counts in look(Source(path=data), Path()):
        click.echo(f"{counts.name}: {counts.verdict}")
        for sample in counts.samples[:1]:
            click.echo(f"  {sample}")
