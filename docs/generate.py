"""Write the reference pages from the code itself: ``docs/recipe.md``, ``docs/parts/*.md`` and ``docs/commands.md``.

Run it after an option was added or its help changed: ``python docs/generate.py``. ``--check`` writes nothing and fails
where a page is out of date; a test does the same.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from tuneloop.cli import commands
from tuneloop.parts import Part, family, find, names
from tuneloop.recipe import shape as shapes
from tuneloop.recipe.examples import block
from tuneloop.recipe.explain import explain, options_of
from tuneloop.recipe.places import ROOT
from tuneloop.recipe.recipe import Recipe
from tuneloop.recipe.spell import plain_text

HERE = Path(__file__).parent
BY_HAND = {"formats"}
MADE = "<!-- Made by docs/generate.py from the classes; change the help under the option instead. -->\n"


def pages() -> dict[Path, str]:
    """Every generated page by its path."""
    found = {HERE / "recipe.md": _recipe(), HERE / "commands.md": _commands()}
    for place in _families(ROOT):
        name = _page(place)
        if name not in BY_HAND:
            found[HERE / "parts" / f"{name}.md"] = _family(place)
    return found


def _inner(place: shapes.Place) -> shapes.Shape:
    return place.shape.item if place.shape.kind == "list" else place.shape


def _page(place: shapes.Place) -> str:
    return family(_inner(place).type).rpartition(".")[2]


def _families(place: shapes.Place) -> Iterator[shapes.Place]:
    """The places of the recipe at which a part is chosen, in the order of life."""
    shape = _inner(place)
    if shape.kind == "part":
        yield place
    elif shape.kind == "section":
        for below in shapes.fields(shape.type, place.path):
            yield from _families(below)


def _recipe() -> str:
    lines = [
        "# The recipe, option by option",
        "",
        MADE,
        f"{_first(Recipe)} The same text is at hand in the terminal: `tuneloop explain train.batch.size`.",
        "",
        "```yaml",
        "data: {sources: [rows.jsonl]}",
        "model: {base: embedded}",
        "```",
        "",
        "## At the top",
        "",
        *_table(Recipe, ()),
    ]
    for place in shapes.fields(Recipe):
        if place.shape.kind == "section":
            lines += _section(place, 2)
    return "\n".join(lines).rstrip() + "\n"


def _commands() -> str:
    group = click.Context(commands, info_name="tuneloop", terminal_width=90)
    lines = ["# Commands", "", MADE, "```text", commands.get_help(group), "```", ""]
    for name in commands.list_commands(group):
        command = commands.get_command(group, name)
        if command is not None:
            here = click.Context(command, info_name=name, parent=group, terminal_width=90)
            lines += [f"## {name}", "", "```text", command.get_help(here), "```", ""]
            for below, inner in command.commands.items() if isinstance(command, click.Group) else ():
                told = click.Context(inner, info_name=below, parent=here, terminal_width=90)
                lines += [f"### {name} {below}", "", "```text", inner.get_help(told), "```", ""]
    return "\n".join(lines).rstrip() + "\n"


def _section(place: shapes.Place, level: int) -> Iterator[str]:
    shape = _inner(place)
    yield f"{'#' * level} {place.dotted}"
    yield ""
    yield plain_text(inspect.getdoc(shape.type) or "")
    yield ""
    yield from _table(shape.type, place.path)
    for below in shapes.fields(shape.type, place.path):
        if _inner(below).kind == "section":
            yield from _section(below, level + 1)


def _table(model: type, path: tuple[str, ...]) -> Iterator[str]:
    yield "| option | value | default | what it does |"
    yield "|---|---|---|---|"
    for place, (name, default, told) in zip(shapes.fields(model, path), options_of(model), strict=True):
        value = shapes.words(place.shape)
        if _inner(place).kind == "part":
            value = f"one of the [{_page(place)}](parts/{_page(place)}.md)"
            value = f"a list, each {value}" if place.shape.kind == "list" else value
        elif _inner(place).kind == "section":
            value = f"see [{place.dotted}](#{place.dotted.replace('.', '')})"
        yield _row(f"`{name}`", value, "" if default == "..." else f"`{default}`", told)
    yield ""


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _family(place: shapes.Place) -> str:
    base: type[Part] = _inner(place).type
    folder = family(base).replace(".", "/")
    lines = [
        f"# {_page(place).capitalize()}",
        "",
        MADE,
        f"{_first(base)} They stand at `{place.dotted}`; a new one is one file in `tuneloop/{folder}/`.",
        "",
    ]
    for name in names(base):
        part = find(base, name)
        lines += [f"## {name}", "", _doc(part), "", "```yaml", _example(place, name), "```", ""]
        if part.model_fields:
            lines += ["| option | value | default | what it does |", "|---|---|---|---|"]
            for option in shapes.fields(part, (*place.path, name)):
                found = explain(option.dotted)
                lines.append(_row(f"`{option.path[-1]}`", found.value, f"`{found.default}`", found.help))
            lines.append("")
    return "\n".join([*lines, *_own(base)]).rstrip() + "\n"


def _own(base: type[Part]) -> Iterator[str]:
    """How to write a part of one's own, for the family that CONTRIBUTING.md shows it with."""
    text = (HERE.parent / "CONTRIBUTING.md").read_text(encoding="utf-8")
    told = text.partition("## Add a part\n")[2].partition("\nand `tuneloop explain")[0]
    if f"tuneloop.{family(base)}" in told:
        yield from ("## One of your own", told.rstrip().replace("```yaml", "```text"), "")  # no recipe by itself


def _example(place: shapes.Place, name: str) -> str:
    if find(_inner(place).type, name).model_fields:
        return block((*place.path, name))
    around = block(place.path).rpartition(":")[0]
    return f"{around}: [{name}]" if place.shape.kind == "list" else f"{around}: {name}"


def _first(model: type) -> str:
    return plain_text((inspect.getdoc(model) or "").partition("\n\n")[0])


def _doc(model: type) -> str:
    return (inspect.getdoc(model) or "").replace("``", "`")


def stale() -> list[Path]:
    """The pages that are missing or say something else than the classes do."""
    return [path for path, text in pages().items() if not path.exists() or path.read_text(encoding="utf-8") != text]


def main() -> None:
    """Write every page; with ``--check`` only name those that are out of date, and fail if there are any."""
    if sys.argv[1:] == ["--check"]:
        if old := stale():
            sys.exit(
                "out of date: " + ", ".join(str(path.relative_to(HERE)) for path in old) + ". Run docs/generate.py"
            )
        return
    for path, text in pages().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
