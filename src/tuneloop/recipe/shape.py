"""Shapes: what may stand at each place of a recipe, told in plain words from the classes themselves.

Errors, ``--set``, ``explain``, the commented recipe and the reference pages all read this, so none of
them keeps a list of options of its own.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from inspect import isabstract
from typing import Annotated, Any, Literal, Union, cast, get_args, get_origin

import annotated_types
from pydantic import BeforeValidator
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from tuneloop.parts import Part, Section, find

Kind = Literal["section", "part", "list", "map", "choice", "plain"]
_PLAIN = {str: "text", int: "a whole number", float: "a number", bool: "true or false", Any: "anything"}


@dataclass(frozen=True)
class Shape:
    """What may stand at one place.

    Attributes:
        kind: ``section`` (a block with fields), ``part`` (one of a family), ``list``, ``map``,
            ``choice`` (one of several shapes) or ``plain`` (a single value).
        type: The section's class, the family's base class, or the value's type.
        inner: The shape of the items of a list (one per place for a fixed length) or of a choice.
        optional: Whether null may stand there.
        limits: Bounds of the value, as pydantic keeps them.
        before: What pydantic does to the value first (the short form of a section).
    """

    kind: Kind
    type: Any
    inner: tuple[Shape, ...] = ()
    optional: bool = False
    limits: tuple[Any, ...] = ()
    before: tuple[Callable[[Any], Any], ...] = field(default=(), compare=False)

    @property
    def item(self) -> Shape:
        """The shape of a list's items."""
        return self.inner[0]


@dataclass(frozen=True)
class Place:
    """One place of a recipe: its path, the field that stands there (none inside a list) and its shape."""

    path: tuple[str, ...]
    shape: Shape
    info: FieldInfo | None = None

    @property
    def dotted(self) -> str:
        """The path as people write it: ``train.batch.size``."""
        return ".".join(self.path)


def of_field(info: FieldInfo) -> Shape:
    """Read the shape of a field of a section."""
    return _of(info.annotation, tuple(info.metadata))


def _of(annotation: Any, metadata: tuple[Any, ...] = ()) -> Shape:
    if get_origin(annotation) is Annotated:
        inner, *more = get_args(annotation)
        return _of(inner, (*more, *metadata))
    before = tuple(cast(Callable[[Any], Any], rule.func) for rule in metadata if isinstance(rule, BeforeValidator))
    limits = tuple(_flat(metadata))
    if get_origin(annotation) in (Union, types.UnionType):
        kept = [option for option in get_args(annotation) if option is not type(None)]
        optional = len(kept) < len(get_args(annotation))
        if len(kept) == 1:
            shape = _of(kept[0], metadata)
            return Shape(shape.kind, shape.type, shape.inner, optional, shape.limits, shape.before)
        return Shape("choice", annotation, tuple(_of(option) for option in kept), optional, limits, before)
    if get_origin(annotation) in (list, tuple, Sequence):
        inner = [option for option in get_args(annotation) if option is not Ellipsis]
        return Shape("list", annotation, tuple(_of(option) for option in inner), limits=limits, before=before)
    if get_origin(annotation) is dict:
        return Shape("map", annotation, tuple(_of(option) for option in get_args(annotation)), limits=limits)
    if isinstance(annotation, type) and issubclass(annotation, Part) and isabstract(annotation):
        return Shape("part", annotation, before=before)
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return Shape("section", annotation, before=before)
    return Shape("plain", annotation, limits=limits, before=before)


def _flat(metadata: tuple[Any, ...]) -> Iterator[Any]:
    for rule in metadata:
        if isinstance(rule, annotated_types.GroupedMetadata):
            yield from rule
        else:
            yield rule


def fields(model: type[Section], path: tuple[str, ...] = ()) -> list[Place]:
    """List the fields of a section or part as places below a path."""
    return [Place((*path, name), of_field(info), info) for name, info in model.model_fields.items()]


def step(place: Place, key: str | int) -> Place | None:
    """Go one key down from a place; None where there is no such key.

    The name of a part may follow a list of parts directly, and a field the list of sections it stands in.

    Raises:
        MissingPackage: The key names a part whose package is not installed.
    """
    shape, path = place.shape, (*place.path, str(key))
    if shape.kind == "section":
        info = shape.type.model_fields.get(key)
        return Place(path, of_field(info), info) if info is not None else None
    if shape.kind == "part":
        try:
            return Place(path, Shape("section", find(shape.type, str(key))))
        except LookupError:
            return None
    if shape.kind == "list" and (isinstance(key, int) or key.isdigit()):
        return Place(path, shape.inner[min(int(key), len(shape.inner) - 1)])
    if shape.kind == "list" and shape.item.kind in ("part", "section"):
        return step(Place(place.path, shape.item), key)
    if shape.kind == "map":
        return Place(path, shape.inner[-1])
    return None


def walk(
    value: Any, place: Place, keys: tuple[str | int, ...] = ()
) -> Iterator[tuple[tuple[str | int, ...], Any, Place]]:
    """Go through a recipe as it was written, beside the places that its values stand at; unknown keys are passed over.

    Yields:
        The keys of a value from the top, the value and its place.
    """
    yield keys, value, place
    below = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in below:
        next_place = step(place, key)
        if next_place is not None:
            yield from walk(inner, next_place, (*keys, key))


def default(info: FieldInfo) -> Any:
    """The value a field has when the recipe does not give it; ``PydanticUndefined`` if it must be given."""
    return info.get_default(call_default_factory=True) if not info.is_required() else PydanticUndefined


def words(shape: Shape) -> str:
    """Say what may stand there, bounds included.

    Example:
        >>> from tuneloop.training.section import Batch
        >>> words(of_field(Batch.model_fields["size"]))
        'a whole number, 1 or more'
    """
    text = _words(shape) + "".join(_bounds(shape.limits))
    return f"{text}; or null" if shape.optional else text


def _words(shape: Shape) -> str:
    if shape.kind == "section":
        return "a block of options"
    if shape.kind == "part":
        return "the name of a part, or {name: {option: value}}"
    if shape.kind == "choice":
        return " or ".join(words(option) for option in shape.inner)
    if shape.kind == "list":
        if len(shape.inner) > 1:
            return f"a list of {len(shape.inner)}: " + ", ".join(words(option) for option in shape.inner)
        plain = shape.item.kind == "plain"
        return f"a list [{words(shape.item)}, ...]" if plain else f"a list, each item {words(shape.item)}"
    if shape.kind == "map":
        return f"a block of names, each with {words(shape.inner[-1])}"
    if get_origin(shape.type) is Literal:
        values = [str(value) for value in get_args(shape.type)]
        return values[0] if len(values) == 1 else "one of " + ", ".join(values)
    return _PLAIN.get(shape.type, getattr(shape.type, "__name__", str(shape.type)))


def _bounds(limits: tuple[Any, ...]) -> Iterator[str]:
    lengths = {getattr(rule, name, None) for rule in limits for name in ("min_length", "max_length")} - {None}
    if len(lengths) == 1 and len(limits) == 2:
        yield f", exactly {lengths.pop()} long"
        return
    for rule in limits:
        for name, form in (
            ("ge", ", {} or more"),
            ("gt", ", more than {}"),
            ("le", ", {} at most"),
            ("lt", ", less than {}"),
            ("min_length", ", at least {} long"),
            ("max_length", ", at most {} long"),
            ("pattern", " that matches {}"),
        ):
            value = getattr(rule, name, None)
            if value is not None:
                yield form.format(value)
