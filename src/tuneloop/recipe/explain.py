"""Explain: what stands at a path of the recipe, in plain words, from the classes themselves."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pydantic_core import PydanticUndefined

from tuneloop.errors import MissingPackage, RecipeError
from tuneloop.parts import Part, Section, family, find, names
from tuneloop.recipe import shape as shapes
from tuneloop.recipe.examples import block
from tuneloop.recipe.names import called_elsewhere, closest, everywhere, foreign, meant
from tuneloop.recipe.places import ROOT, at
from tuneloop.recipe.recipe import Recipe
from tuneloop.recipe.spell import plain_text
from tuneloop.recipe.written import flow


@dataclass(frozen=True)
class Explanation:
    """What there is to say of one place.

    Attributes:
        path: The path, dotted; empty for the whole recipe.
        help: What it is, in one or more paragraphs.
        value: What may stand there.
        default: The value without it, as YAML; empty where it must be given or a section holds its own.
        others: What other tools call it, one line each.
        example: How it is written, as YAML.
        options: Of a section or part: each option with its default and its help.
        parts: Of a family: each part with its help.
    """

    path: str
    help: str
    value: str = ""
    default: str = ""
    others: tuple[str, ...] = ()
    example: str = ""
    options: tuple[tuple[str, str, str], ...] = ()
    parts: tuple[tuple[str, str], ...] = field(default=())


def explain(path: str = "") -> Explanation:
    """Explain a path of the recipe, an option's bare name, or the name that another tool uses.

    Args:
        path: For example ``train.adapter.lora.r``, ``train.batch``, ``lora_alpha``; empty for the whole recipe.

    Raises:
        RecipeError: Nothing is called so, or several options are.
        MissingPackage: It names a part whose package is not installed.

    Example:
        >>> explain("train.batch.size").default
        '16'
    """
    keys = [key for key in path.split(".") if key]
    place = at(keys)
    if place is None and len(keys) == 1:
        place = _by_name(keys[0])
    if place is None:
        raise RecipeError(f"the recipe has no `{path}`", where="explain", fix=_nearest(keys))
    return _told(place)


def _by_name(name: str) -> shapes.Place | None:
    paths = everywhere().get(name, ())
    if len(paths) > 1:
        raise RecipeError(f"several options are called `{name}`", where="explain", fix="say which: " + ", ".join(paths))
    known = foreign().get(name)
    if known is not None and not paths:
        if not known.path:
            raise RecipeError(f"tuneloop has no option `{name}`", where="explain", fix=known.told())
        paths = (known.path,)
    return at(paths[0].split(".")) if paths else None


def _nearest(keys: list[str]) -> str:
    for length in range(len(keys) - 1, -1, -1):
        place = at(keys[:length])
        if place is not None:
            known = _below(place.shape)
            parts = _parts(keys[length]) if length == 0 and len(keys) == 1 else []
            if parts:
                return "it is a part: " + " or ".join(f"tuneloop explain {path}" for path in parts)
            return meant(keys[length], known)
    return "tuneloop explain lists the sections"


def _parts(name: str) -> list[str]:
    """The paths of the parts that are called so, or nearly so."""
    paths = list(_part_paths(ROOT))
    near = closest(name, [path.rpartition(".")[2] for path in paths])
    return [path for path in paths if path.rpartition(".")[2] == near]


def _part_paths(place: shapes.Place) -> Iterator[str]:
    shape = place.shape.item if place.shape.kind == "list" else place.shape
    if shape.kind == "part":
        yield from (f"{place.dotted}.{name}" for name in names(shape.type))
    elif shape.kind == "section":
        for below in shapes.fields(shape.type, place.path):
            yield from _part_paths(below)


def _below(shape: shapes.Shape) -> list[str]:
    inner = shape.item if shape.kind == "list" else shape
    if inner.kind == "section":
        return list(inner.type.model_fields)
    return names(inner.type) if inner.kind == "part" else []


def _told(place: shapes.Place) -> Explanation:
    shape = place.shape.item if place.shape.kind == "list" else place.shape
    help_text = plain_text(place.info.description or "") if place.info is not None else ""
    if shape.kind == "section":
        doc = "" if shape.type is Recipe and not place.path else _doc(shape.type)
        help_text = f"{help_text}\n{doc}".strip() or _doc(shape.type)
    default = shapes.default(place.info) if place.info is not None else PydanticUndefined
    options = tuple(options_of(shape.type)) if shape.kind == "section" else ()
    return Explanation(
        place.dotted,
        help_text,
        shapes.words(place.shape) if place.info is not None and place.shape.kind != "section" else "",
        _default(default) if not options else "",
        tuple(
            f"{', '.join(each.tools)}: `{each.name}`" for each in (called_elsewhere(place.dotted) if place.path else ())
        ),
        block(place.path) if place.info is not None and place.shape.kind != "section" else "",
        options,
        tuple(parts_of(shape.type)) if shape.kind == "part" else (),
    )


def _doc(model: type[Section]) -> str:
    return inspect.cleandoc(model.__doc__ or "").replace("``", "`")


def _default(value: Any) -> str:
    return "" if value is PydanticUndefined else flow(plain(value))


def plain(value: Any) -> Any:
    """A default as a recipe writes it: parts by name where they have no options of their own choice."""
    if isinstance(value, Part):
        return value.name
    if isinstance(value, Section):
        return value.model_dump(mode="json")
    return [plain(item) for item in value] if isinstance(value, list | tuple) else value


def options_of(model: type[Section]) -> Iterator[tuple[str, str, str]]:
    """Each option of a section or part: its name, its default as YAML (or ``required``), its help."""
    for place in shapes.fields(model):
        if place.info is None:
            continue
        given = shapes.default(place.info)
        nested = place.shape.kind == "section" and isinstance(given, Section)
        default = "required" if given is PydanticUndefined else "..." if nested else flow(plain(given))
        yield place.path[-1], default, plain_text(place.info.description or "")


def parts_of(base: type[Part]) -> Iterator[tuple[str, str]]:
    """Each part of a family: its name and the first line of its description."""
    for name in names(base):
        try:
            yield name, _doc(find(base, name)).splitlines()[0]
        except MissingPackage as error:
            yield name, f"{error.problems[0].what}; {error.problems[0].fix}"


def about(base: type[Part]) -> str:
    """What a family is for, and its name."""
    return f"{family(base)}: {_doc(base)}"
