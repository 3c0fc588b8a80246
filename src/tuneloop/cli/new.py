"""``tuneloop new``: write a commented recipe for a file of rows."""

from __future__ import annotations

from collections import Counter
from glob import glob
from pathlib import Path

import click


@click.command("new")
@click.argument("data")
@click.option("--base", default="embedded", show_default=True, help="Base model: folder, Hugging Face name, embedded.")
@click.option("--name", default="", help="The recipe's name; by default that of the file.")
@click.option("--output", "-o", type=click.Path(path_type=Path), help="Where to write it; by default NAME.yaml here.")
@click.option(
    "--columns",
    multiple=True,
    metavar="NAME=COLUMN,...",
    help="Which column is which, such as question=Frage,answer=Antwort.",
)
@click.option("--label", default="", metavar="COLUMN", help="The column of a table that is to be learned.")
@click.option("--force", is_flag=True, help="Write over a file that is there.")
def command(
    data: str, base: str, name: str, output: Path | None, columns: tuple[str, ...], label: str, force: bool
) -> None:
    """Write a commented recipe for rows of your own.

    DATA is a file, a folder, a glob, or hf://owner/name. The rows may be JSON lines, JSON, CSV, TSV,
    Parquet or text, in any of the usual forms; it is said what they are taken for.
    """
    from tuneloop.data.glance import look
    from tuneloop.data.section import Source
    from tuneloop.errors import DataError, RecipeError
    from tuneloop.recipe.new import named, starter
    from tuneloop.store.disk import writing
    from tuneloop.store.naming import composed

    if "://" not in data and not glob(data):  # noqa: PTH207 - Path.glob takes no absolute pattern
        raise DataError("there are no rows here", where=data, fix="name a file, a folder or a glob that is there")
    name = composed(name) or named(data)
    target = output or Path(f"{name}.yaml")
    if target.exists() and not force:
        raise RecipeError(f"{target} is there already", where=str(target), fix="give --output FILE, or --force")
    renames = _renames(columns)
    passed_over: dict[str, str] = {}
    source = Source(path=data, columns=renames, format={"table": {"label": label}} if label else None)
    looked = [] if "://" in data else look(source, Path(), passed_over=passed_over)
    kinds = sum((file.kinds for file in looked), Counter[str]())
    written = {kind: count for kind, count in kinds.items() if kind != "fields"} or kinds
    kind = max(written, key=written.__getitem__) if written else "fields" if label else "chat"
    text = starter(data, folder=target.parent, base=base, name=name, kind=kind, columns=renames, label=label)
    with writing(target):
        target.write_text(text, encoding="utf-8")
    click.echo(f"wrote {target}")
    for file_name, why in passed_over.items():
        click.echo(f"{file_name} was passed over: {why}")
    for file in looked:
        click.echo(f"{file.counts.name}: {file.counts.verdict}")
        for sample in file.counts.samples[:1]:
            click.echo(f"  {sample}")
    if len(kinds) > 1:
        click.echo(f"the rows are of several kinds ({', '.join(kinds)}); the recipe learns from the {kind} rows")
    if kind == "fields" and not label:
        click.echo("the rows are a table: to learn one of its columns, name it: --label COLUMN (and --force)")
    click.echo(f"next: tuneloop check {target}   then: tuneloop run {target}")


def _renames(given: tuple[str, ...]) -> dict[str, str]:
    """Read ``question=Frage,answer=Antwort``.

    Raises:
        BadParameter: It is not written so.
    """
    renames: dict[str, str] = {}
    for pair in ",".join(given).split(",") if given else ():
        name, equals, column = (part.strip() for part in pair.partition("="))
        if not (name and equals and column):
            raise click.BadParameter(f"{pair!r}: write NAME=COLUMN, such as question=Frage,answer=Antwort")
        renames[name] = column
    return renames
