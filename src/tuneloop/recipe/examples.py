"""Examples: an option of the recipe with a value that may stand there, as YAML."""

from __future__ import annotations

from typing import Any, get_args, get_origin

from pydantic_core import PydanticUndefined

from tuneloop.parts import Part, Section, names
from tuneloop.recipe import shape as shapes
from tuneloop.recipe.places import ROOT
from tuneloop.recipe.written import Keys, flow


def block(keys: Keys, indent: int = 0) -> str:
    """Write an option with an example value as the YAML it stands in, one line a key.

    Args:
        keys: The path; the numbers of list items may be left out.
        indent: Columns before every line.

    Example:
        >>> print(block(("data", "sources", "limit")))
        data:
          sources:
            - path: rows.jsonl
              limit: 1
    """
    lines: list[str] = []
    place: shapes.Place | None = ROOT
    dash = ""
    for key in keys:
        listed = place is not None and place.shape.kind == "list"
        above, place = place, shapes.step(place, key) if place is not None else None
        dash = "- " if listed else dash
        if isinstance(key, int):
            continue
        if listed and above is not None and above.shape.item.kind == "section":
            for other in _required(above.shape.item, key):  # an item is no item without them
                lines.append(f"{' ' * indent}{dash}{other.path[-1]}: {example(other)}")
                dash, indent = "", indent + len(dash)
        elif above is not None and above.shape.kind == "section" and _stands_alone(above.shape):
            lines += [f"{' ' * indent}{other.path[-1]}: {example(other)}" for other in _required(above.shape, key)]
        for name, value in _beside(place).items():
            lines.append(f"{' ' * indent}{dash}{name}: {show(value)}")
            dash, indent = "", indent + len(dash)
        lines.append(f"{' ' * indent}{dash}{key}:")
        indent += 2 + len(dash)
        dash = ""
    lines[-1] += f" {example(place)}" if place is not None else " ..."
    return "\n".join(lines)


def _stands_alone(shape: shapes.Shape) -> bool:
    """Whether a section is written whole where it is written at all: a part, or one that may be left out."""
    return issubclass(shape.type, Part) or shape.optional


def _beside(place: shapes.Place | None) -> dict[str, Any]:
    """Options that an option needs beside it, as its field says (``json_schema_extra={"beside": {name: value}}``)."""
    extra = place.info.json_schema_extra if place is not None and place.info is not None else None
    return dict(extra.get("beside", {})) if isinstance(extra, dict) else {}  # type: ignore[arg-type]


def _required(shape: shapes.Shape, but: str = "") -> list[shapes.Place]:
    """The options of a section that must be given, but one."""
    fields = shapes.fields(shape.type)
    return [field for field in fields if field.info is not None and field.info.is_required() and field.path[-1] != but]


def example(place: shapes.Place) -> str:
    """Write a value that may stand at a place: its default, or the least that its bounds allow."""
    given = shapes.default(place.info) if place.info is not None else PydanticUndefined
    if isinstance(given, Part):
        return given.name
    if place.info is not None and place.info.examples:
        return show(place.info.examples[0])
    if given is not PydanticUndefined and given is not None and not isinstance(given, Section):
        if isinstance(given, list) and any(isinstance(item, Section) for item in given):
            first = given[:SHOWN]
            return show([item.name if isinstance(item, Part) else item.model_dump(mode="json") for item in first])
        return show(given)
    return _example(place.shape, place.path[-1] if place.path else "")


SHOWN = 4
"""Parts of a list that are shown."""
_KNOWN = {"base": "embedded", "sources": "[rows.jsonl]", "path": "rows.jsonl"}


def _example(shape: shapes.Shape, name: str) -> str:
    if name in _KNOWN:
        return _KNOWN[name]
    if shape.kind == "part":
        return (names(shape.type) or ["name"])[0]
    if shape.kind == "list":
        return "[" + ", ".join(_example(inner, "") for inner in shape.inner) + "]"
    if shape.kind == "choice":
        return _example(shape.inner[0], name)
    if shape.kind == "section":
        shown = _required(shape) or shapes.fields(shape.type)[:1]
        return "{" + ", ".join(f"{option.path[-1]}: {example(option)}" for option in shown) + "}"
    if shape.kind == "map":
        return "{name: " + _example(shape.inner[-1], "") + "}"
    if get_origin(shape.type) is not None and get_args(shape.type):
        return show(get_args(shape.type)[0])
    return _least(shape)


def _least(shape: shapes.Shape) -> str:
    bounds = [getattr(rule, "ge", None) or getattr(rule, "gt", None) for rule in shape.limits]
    low = next((bound for bound in bounds if bound is not None), 0)
    if shape.type is int:
        return str(max(int(low), 1))
    if shape.type is float:
        return str(max(float(low), 0.1))
    most = next((rule.max_length for rule in shape.limits if getattr(rule, "max_length", None)), None)
    return "true" if shape.type is bool else "text"[:most]


def show(value: Any) -> str:
    """Write a value as YAML on one line, cut where it is long."""
    text = flow(value)
    return text if len(text) <= 80 else text[:77] + "..."
