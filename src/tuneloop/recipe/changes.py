"""Changes: ``--set train.batch.size=8`` applied to a recipe as it was written."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import yaml
from pydantic_core import PydanticUndefined

from tuneloop.errors import Problem
from tuneloop.parts import Part
from tuneloop.recipe import shape as shapes
from tuneloop.recipe.places import ROOT
from tuneloop.recipe.written import Keys, Loader, Written

_EXAMPLE = "write --set PATH=VALUE, for example --set train.batch.size=8"


def apply(written: Written, changes: Iterable[str]) -> list[Problem]:
    """Make changes in place, in order; what the recipe says of the same place gives way.

    Args:
        written: The recipe; what is changed is marked with the change that did it.
        changes: ``path=value`` each, the value in YAML.

    Returns:
        What could not be done.
    """
    problems: list[Problem] = []
    for change in changes:
        problem = _apply(written, change)
        if problem is not None:
            problems.append(problem)
    return problems


def _apply(written: Written, change: str) -> Problem | None:
    where = f"--set {change}"
    path, sign, text = change.partition("=")
    keys = path.strip().split(".")
    if not sign or not all(keys):
        return Problem(f"{change!r} is no change", where, _EXAMPLE)
    try:
        value = Loader(text).get_single_data()
    except yaml.YAMLError:
        return Problem(f"{text!r} cannot be read as a value", where, "quote it as in YAML: --set \"name='a: b'\"")
    if not isinstance(written.value, dict):
        written.value = {}
    place: shapes.Place | None = ROOT
    spot: Any = written.value
    done: Keys = ()
    for index, key in enumerate(keys):
        last = index == len(keys) - 1
        if place is not None and place.shape.kind == "part" and key not in spot:
            spot.clear()  # another part is chosen instead
        place = shapes.step(place, key) if place is not None else None
        try:
            spot, step = _enter(spot, key, place, value if last else None, last)
        except IndexError as error:
            return Problem(
                str(error), where, _EXAMPLE.replace("train.batch.size=8", f"{'.'.join(map(str, done))}.0=...")
            )
        done = (*done, *step)
    written.changed[done] = where
    return None


def _enter(spot: Any, key: str, place: shapes.Place | None, value: Any, last: bool) -> tuple[Any, Keys]:
    """Go one key down in the plain values, making what is not there; at the last key, put the value.

    Returns:
        What stands there now, and the keys gone down: two where a part of a list is named.
    """
    inner: str | int = key
    keys: Keys = (key,)
    if isinstance(spot, list):
        number = _position(spot, key, place)
        keys = (number,) if key.isdigit() else (number, key)
        spot, inner = (spot, number) if key.isdigit() else (spot[number], key)
    if last:
        spot[inner] = value
        return value, keys
    there = isinstance(spot, list) or inner in spot
    spot[inner] = _opened(spot[inner] if there else PydanticUndefined, place)
    return spot[inner], keys


def _position(items: list[Any], key: str, place: shapes.Place | None) -> int:
    """Find a list item by its number or by the part it names; one past the end adds an item.

    Raises:
        IndexError: There is no such item.
    """
    if key.isdigit():
        number = int(key)
        if number > len(items):
            raise IndexError(f"there is no item {number}: the list has {len(items)}")
        if number == len(items):
            items.append(None)
        return number
    if place is None or place.shape.kind != "section":
        raise IndexError(f"{key!r} is neither the number of an item nor the name of a part")
    for number, item in enumerate(items):
        if item == key:
            items[number] = {key: {}}
        if items[number] == {key: {}} or (isinstance(item, dict) and list(item) == [key]):
            return number
    items.append({key: {}})
    return len(items) - 1


def _opened(value: Any, place: shapes.Place | None) -> Any:
    """What stands at a place as something that can be gone into: defaults and short forms spelled out."""
    kind = place.shape.kind if place is not None else "map"
    if place is not None and kind == "list":
        return value if isinstance(value, list) else _default_list(place)
    if place is not None and kind == "section":
        for spell_out in place.shape.before:
            value = spell_out(value) if value not in (PydanticUndefined, None) else value
    if kind == "part" and isinstance(value, str):
        return {value: {}}
    return value if isinstance(value, dict | list) else {}


def _default_list(place: shapes.Place) -> list[Any]:
    given = shapes.default(place.info) if place.info is not None else []
    if not isinstance(given, list):
        return []
    return [item.spelled() if isinstance(item, Part) else item for item in given]
