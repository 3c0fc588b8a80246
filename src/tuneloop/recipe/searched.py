"""Searched: whether the recipe can take the values that its ``tune`` section wants to try."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

from tuneloop.errors import Problem
from tuneloop.parts import names
from tuneloop.recipe import changes as changing
from tuneloop.recipe import problems
from tuneloop.recipe import shape as shapes
from tuneloop.recipe.names import meant
from tuneloop.recipe.places import at
from tuneloop.recipe.recipe import Recipe
from tuneloop.recipe.written import Written, flow
from tuneloop.tuning.space import Space, Values, chosen, settled
from tuneloop.tuning.span import Span

LEARNED = ("seed", "data", "model", "task", "train")
"""What decides what is learned; nothing else can be searched."""


def of_space(written: Written, recipe: Recipe) -> list[Problem]:
    """Try every value of a list, and the ends of every span and a number between them, each by itself.

    Args:
        written: The recipe as it was written.
        recipe: The same, checked.

    Returns:
        What the recipe cannot take, each at its path in ``tune.space``.
    """
    space = Space(recipe.tune.space)
    return [problem for path in space.dimensions for problem in _of_path(written, space, path)]


def _of_path(written: Written, space: Space, path: str) -> Iterator[Problem]:
    where = written.where(("tune", "space", path))
    wrong = _misplaced(path, where) or _aside(space, path, where)
    if wrong:
        yield wrong
        return
    dimension = space.dimensions[path]
    if isinstance(dimension, list):
        twice = next((value for index, value in enumerate(dimension) if value in dimension[:index]), None)
        if twice is not None:
            yield Problem(f"`{path}` has {flow(twice)} twice", where, "take one of them out")
    for value in _ends(dimension) if isinstance(dimension, Span) else dimension:
        refused = _refused(written, _above(space, path) | {path: value})
        if refused is not None:
            fix = _in_whole_numbers(dimension) if "a whole number" in refused.what else refused.fix
            yield Problem(f"`{path}` cannot be {flow(value)}: {refused.what}", where, fix or refused.fix)
            return


def _misplaced(path: str, where: str) -> Problem | None:
    """What is wrong with a path by itself."""
    keys = path.split(".")
    if keys[0] in Recipe.model_fields and keys[0] not in LEARNED:
        fix = f"vary paths of {', '.join(LEARNED)}"
        return Problem(f"`{path}` does not change what is learned", where, fix)
    for length in range(len(keys)):
        above = at(keys[:length])
        if above is not None and at(keys[: length + 1]) is None:
            return Problem(f"the recipe has no `{path}`", where, meant(keys[length], _below(above.shape)))
    place = at(keys)
    if place is not None and place.shape.kind == "section" and not place.shape.optional:
        first = next(iter(place.shape.type.model_fields), "")
        fix = f"name one option of it, such as `{path}.{first}`" if first else "name the option that it is a value of"
        return Problem(f"`{path}` is a block of options, not one of them", where, fix)
    return None


def _aside(space: Space, path: str, where: str) -> Problem | None:
    """What is wrong with a path beside the others."""
    keys = path.split(".")
    for length in range(1, len(keys)):
        above, name = ".".join(keys[:length]), keys[length]
        place = at(keys[:length])
        dimension = space.dimensions.get(above)
        if dimension is not None:
            values = dimension if isinstance(dimension, list) else []
            if place is None or place.shape.kind != "part" or name not in map(chosen, values):
                fix = f"add `{name}` to the values of `{above}`, or take `{path}` out"
                return Problem(f"`{path}` never counts: no value of `{above}` chooses it", where, fix)
        elif place is not None and place.shape.kind == "part":
            for other in space.dimensions:
                if other.startswith(f"{above}.") and other[len(above) + 1 :].partition(".")[0] != name:
                    fix = f"vary the choice too: `{above}: [{name}, {other[len(above) + 1 :].partition('.')[0]}]`"
                    return Problem(f"`{path}` and `{other}` are options of different parts", where, fix)
    return None


def _above(space: Space, path: str) -> Values:
    """The choices of parts under which a path counts."""
    values: Values = {}
    for above in space.paths:
        dimension = space.dimensions[above]
        if path.startswith(f"{above}.") and isinstance(dimension, list):
            name = path[len(above) + 1 :].partition(".")[0]
            values[above] = next(value for value in dimension if chosen(value) == name)
    return values


def _ends(span: Span) -> list[Any]:
    """The ends of a span, and a number between them that is not round."""
    low, high = span.ends
    return [settled(span, value) for value in (low, low + 0.3713 * (high - low), high)]


def _in_whole_numbers(dimension: list[Any] | Span) -> str:
    """How a span of numbers is written as one of whole numbers; empty if it is none."""
    if not isinstance(dimension, Span) or dimension.whole:
        return ""
    low, high = (round(end) for end in dimension.ends)
    return f"write {{int: [{low}, {high}]{', log: true' if dimension.by_magnitude else ''}}}"


def _refused(written: Written, values: Values) -> Problem | None:
    """Why the recipe cannot take some values; None if it can."""
    trial = Written(written.name, copy.deepcopy(written.value), dict(written.lines), dict(written.changed))
    found = changing.apply(trial, [f"{path}={flow(value)}" for path, value in values.items()])
    try:
        Recipe.model_validate(trial.value)
    except ValidationError as error:
        found += problems.of_errors(trial, error.errors(include_url=False))
    found += problems.of_truths(trial)
    return found[0] if found else None


def _below(shape: shapes.Shape) -> list[str]:
    """The names that may follow a place."""
    inner = shape.item if shape.kind == "list" else shape
    if inner.kind == "section":
        return list(inner.type.model_fields)
    return names(inner.type) if inner.kind == "part" else []
