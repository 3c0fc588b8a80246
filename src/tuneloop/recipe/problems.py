"""Problems: what pydantic found wrong with a recipe, as what, where and fix for each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, cast, get_args, get_origin

from pydantic_core import ErrorDetails

from tuneloop.errors import Problem
from tuneloop.parts import Part, find, names
from tuneloop.recipe import shape as shapes
from tuneloop.recipe.examples import block, example, show
from tuneloop.recipe.names import closest, foreign, meant
from tuneloop.recipe.places import ROOT, at
from tuneloop.recipe.written import Keys, Written


def of_errors(written: Written, errors: Sequence[ErrorDetails]) -> list[Problem]:
    """Turn pydantic's errors into problems, in the order of the recipe's lines, each place once.

    Args:
        written: The recipe, with its lines.
        errors: What ``ValidationError.errors()`` gave.
    """
    found: dict[Keys, Problem] = {}
    for keys, problem in _flat(written, errors, ()):
        found.setdefault(keys, problem)
    return [found[keys] for keys in sorted(found, key=lambda keys: (written.line(keys), [str(key) for key in keys]))]


def _flat(written: Written, errors: Sequence[ErrorDetails], above: Keys) -> Iterator[tuple[Keys, Problem]]:
    for error in errors:
        keys: Keys = (*above, *error["loc"])
        if error["type"] == "part_options":
            context = error["ctx"]
            yield from _flat(written, context["errors"], (*keys, context["name"]))
        elif error["type"] == "missing":
            yield from _missing(written, keys)
        elif error["type"] == "extra_forbidden":
            yield keys, _unknown(written, keys)
        elif error["type"] in ("part_form", "part_unknown"):
            yield keys, _part(written, keys)
        elif error["type"] == "value_error":
            keys = _met(written, keys)
            what = str(error["msg"]).removeprefix("Value error, ")
            dotted = ".".join(map(str, keys))
            below = next((changed for changed in written.changed if changed[: len(keys)] == keys), keys)
            yield keys, Problem(what, written.where(below), f"change one of the two: tuneloop explain {dotted}")
        else:
            keys = _met(written, keys)
            yield keys, _wrong(written, keys)


def _met(written: Written, keys: Keys) -> Keys:
    """Leave off what pydantic adds to a path beyond the recipe (the branches of a choice)."""
    value = written.value
    for length, key in enumerate(keys):
        inside = isinstance(value, dict) and key in value
        if not inside and not (isinstance(value, list) and isinstance(key, int) and key < len(value)):
            return keys[:length]
        value = value[key]
    return keys


def _missing(written: Written, keys: Keys) -> Iterator[tuple[Keys, Problem]]:
    place = at(keys)
    if place is not None and place.shape.kind == "section":
        for name, info in place.shape.type.model_fields.items():
            if info.is_required():
                yield from _missing(written, (*keys, name))
        return
    if isinstance(keys[-1], int):
        yield keys[:-1], _wrong(written, keys[:-1])
        return
    dotted = ".".join(map(str, keys))
    yield keys, Problem(f"`{dotted}` is missing", written.where(keys), f"add it:\n{block(keys, indent=9)}")


def _unknown(written: Written, keys: Keys) -> Problem:
    place = at(keys[:-1])
    known = list(place.shape.type.model_fields) if place is not None and place.shape.kind == "section" else []
    return Problem(f"unknown key `{keys[-1]}`", written.where(keys), meant(str(keys[-1]), known))


def _part(written: Written, keys: Keys) -> Problem:
    place = cast(shapes.Place, at(keys))  # pydantic found that a part belongs there
    base: type[Part] = place.shape.type
    known, value, where = names(base), written.get(keys), written.where(keys)
    dotted = ".".join(map(str, keys))
    listing = f"known: {', '.join(known)}"
    if isinstance(value, dict):
        given = [str(key) for key in value]
        if len(given) > 1 and all(key in known for key in given):
            fix = "make each an item of its own" if isinstance(keys[-1], int) else "keep one of them"
            return Problem(f"`{dotted}` names {len(given)} parts: {', '.join(given)}", where, fix)
        owner = _owner(base, given)
        if owner:
            options = {key: each for key, each in value.items() if key in find(base, owner).model_fields}
            fix = f"write {_inside(keys, {owner: options})}"
            return Problem(f"`{dotted}` gives options but does not name its part", where, fix)
    if isinstance(value, str) or (isinstance(value, dict) and len(value) == 1):
        name = value if isinstance(value, str) else str(next(iter(value)))
        return _unknown_part(name, dotted, where, known)
    fix = f"write a name, or {{name: {{option: value}}}}; {listing}"
    return Problem(f"`{dotted}` is {told(value)}, not a part", where, fix)


def _unknown_part(name: str, dotted: str, where: str, known: list[str]) -> Problem:
    what = f"`{dotted}` has no part {name!r}"
    near = closest(name, known)
    if near:
        return Problem(what, where, f"did you mean `{near}`? known: {', '.join(known)}")
    if name in foreign():
        return Problem(what, where, f"{foreign()[name].told()}; known: {', '.join(known)}")
    return Problem(what, where, f"known: {', '.join(known)}")


def _inside(keys: Keys, value: Any) -> str:
    """Write a value at the last of some keys, as it would stand in the recipe."""
    return f"`- {show(value)}`" if isinstance(keys[-1], int) else f"`{keys[-1]}: {show(value)}`"


def _owner(base: type[Part], given: list[str]) -> str | None:
    """The part whose options these are, among words such as ``name`` and ``type`` that other tools put beside."""
    options = [key for key in given if key not in ("name", "type", "kind")]
    for name in names(base):
        if options and all(key in find(base, name).model_fields for key in options):
            return name
    return None


def of_truths(written: Written) -> list[Problem]:
    """Problems of true or false where a number belongs, which pydantic would take as 1 or 0."""
    met = shapes.walk(written.value, ROOT)
    return [
        _wrong(written, keys)
        for keys, value, place in met
        if isinstance(value, bool) and place.shape.kind == "plain" and place.shape.type in (int, float)
    ]


def _wrong(written: Written, keys: Keys) -> Problem:
    value, place = written.get(keys), at(keys)
    dotted = ".".join(map(str, keys))
    if not keys:
        return Problem(f"the recipe is {told(value)}, not a block of sections", written.where(keys), SMALLEST)
    if place is None:
        return Problem(
            f"`{dotted}` cannot be {told(value)}", written.where(keys), "tuneloop explain shows what may stand"
        )
    what = f"`{dotted}` is {told(value)}; it must be {shapes.words(place.shape)}"
    return Problem(what, written.where(keys), _fix(keys, value, place))


SMALLEST = "the smallest recipe:\n         data: {sources: [rows.jsonl]}\n         model: {base: embedded}"


def _fix(keys: Keys, value: Any, place: shapes.Place) -> str:
    shape = place.shape
    own = [key for key in keys if not isinstance(key, int)]
    if shape.kind == "plain" and shape.type is str and isinstance(value, bool | int | float):
        return f'put it in quotes: `{own[-1]}: "{value}"`'
    if get_origin(shape.type) is not None and isinstance(value, str):
        near = closest(value, [str(each) for each in get_args(shape.type)])
        if near:
            return f"did you mean `{near}`?"
    if shape.kind == "list" and not isinstance(value, list | dict) and value is not None:
        return f"write a list: `{own[-1]}: [{show(value)}]`"
    if shape.kind == "section" and value is not None and not isinstance(value, dict | list):
        first = next((name for name, info in shape.type.model_fields.items() if info.is_required()), None)
        first = first or next(iter(shape.type.model_fields))
        return f"write `{own[-1]}: {{{first}: {show(value)}}}`, or see: tuneloop explain {'.'.join(map(str, own))}"
    return f"for example `{own[-1]}: {example(place)}`"


def told(value: Any) -> str:
    """Say what was met: its value and its kind."""
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return f"{str(value).lower()} (true or false)"
    if isinstance(value, dict):
        return "a block of keys" if value else "an empty block"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    kind = {str: "text", int: "a whole number", float: "a number"}.get(type(value), type(value).__name__)
    return f"{show(value)} ({kind})"
