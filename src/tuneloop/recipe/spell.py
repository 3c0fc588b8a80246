"""Spell: a resolved recipe as YAML, every option with its value and its help, that loads back the same."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tuneloop.parts import Section, find
from tuneloop.recipe import shape as shapes
from tuneloop.recipe.recipe import Recipe
from tuneloop.recipe.written import flow

_WIDTH = 110


def spell(recipe: Recipe) -> str:
    """Write a recipe with every default spelled out and the help of every option beside it.

    Example:
        >>> from tuneloop.recipe import load
        >>> from tuneloop.recipe.load import check
        >>> from tuneloop.recipe.written import parse
        >>> recipe = load({"data": {"sources": ["faq.jsonl"]}, "model": {"base": "embedded"}})
        >>> check(parse(spell(recipe), "again")) == recipe
        True
    """
    return "\n".join(_section(Recipe, recipe.spelled(), 0)) + "\n"


def plain_text(text: str) -> str:
    r"""A help string on one line, without the marks of reStructuredText.

    Example:
        >>> plain_text("Take ``lora``\n    or ``full``.")
        'Take `lora` or `full`.'
    """
    return " ".join(text.replace("``", "`").split())


def help_of(info: Any) -> str:
    """The first sentence of an option's help, on one line."""
    text = plain_text(info.description or "")
    first, dot, rest = text.partition(". ")
    return first + dot.strip() if rest else text


def line(text: str, comment: str, indent: int) -> list[str]:
    """Write a line with its comment behind it, or above it where both together are too long."""
    pad = " " * indent
    if not comment:
        return [pad + text]
    both = f"{pad}{text}  # {comment}"
    return [both] if len(both) <= _WIDTH else [f"{pad}# {comment}", pad + text]


def _section(model: type[Section], values: dict[str, Any], indent: int) -> Iterator[str]:
    for place in shapes.fields(model):
        name, info = place.path[-1], place.info
        yield from _value(name, values[name], place.shape, help_of(info), indent)


def _value(name: str, value: Any, shape: shapes.Shape, comment: str, indent: int) -> Iterator[str]:
    if shape.kind == "section" and value is not None:
        yield from line(f"{name}:", comment, indent)
        yield from _section(shape.type, value, indent + 2)
    elif shape.kind == "part" and value is not None:
        part, options = next(iter(value.items()))
        if not options:
            yield from line(f"{name}: {part}", comment, indent)
            return
        yield from line(f"{name}:", comment, indent)
        yield f"{' ' * (indent + 2)}{part}:"
        yield from _section(find(shape.type, part), options, indent + 4)
    elif shape.kind == "list" and value and shape.item.kind in ("part", "section"):
        yield from line(f"{name}:", comment, indent)
        for item in value:
            yield from _item(item, shape.item, indent + 2)
    else:
        yield from line(f"{name}: {flow(value)}", comment, indent)


def _item(item: Any, shape: shapes.Shape, indent: int) -> Iterator[str]:
    pad = " " * indent
    if shape.kind == "section":
        rows = list(_section(shape.type, item, indent + 2))
        first = next(index for index, row in enumerate(rows) if not row.lstrip().startswith("#"))
        rows[:first] = [row[2:] for row in rows[:first]]
        rows[first] = f"{pad}- {rows[first].lstrip()}"
        yield from rows
        return
    part, options = next(iter(item.items()))
    if not options:
        yield f"{pad}- {part}"
        return
    yield f"{pad}- {part}:"
    yield from _section(find(shape.type, part), options, indent + 4)
