"""Dimensions: the values that one path of the recipe may take in a search."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypeAlias

from pydantic import Discriminator, Field, Tag, model_validator

from tuneloop.parts import Section

_Number: TypeAlias = float  # the fields below carry the names of their types
_Whole: TypeAlias = int


class Span(Section):
    """Every number between two ends, both included."""

    float: tuple[_Number, _Number] | None = None
    """Numbers, all equally likely: ``{float: [0, 0.2]}``."""
    int: tuple[_Whole, _Whole] | None = None
    """Whole numbers: ``{int: [4, 64]}``; ``{int: [4, 64], log: true}`` weighs them by magnitude."""
    log: tuple[_Number, _Number] | bool = False
    """Numbers by their magnitude, as learning rates want it: ``{log: [1e-5, 1e-3]}``."""
    points: _Whole = Field(3, ge=2)
    """How many values a grid takes of it, both ends among them."""

    @model_validator(mode="after")
    def _one_span(self) -> Span:
        given = [ends for ends in (self.float, self.int, self.log) if isinstance(ends, tuple)]
        if len(given) != 1:
            raise ValueError(f"a span needs one pair of ends, in float, int or log; it has {len(given)}")
        low, high = given[0]
        if not low < high:
            raise ValueError(f"the lower end {low} is not below the upper end {high}")
        if self.by_magnitude and low <= 0:
            raise ValueError(f"the lower end {low} has no magnitude: a logarithmic span begins above 0")
        return self

    @property
    def ends(self) -> tuple[_Number, _Number]:
        """The lowest and the highest value."""
        given = self.int or self.float or self.log
        return given if isinstance(given, tuple) else (0.0, 1.0)

    @property
    def whole(self) -> bool:
        """Whether its values are whole numbers."""
        return self.int is not None

    @property
    def by_magnitude(self) -> bool:
        """Whether a value and its double are as far apart anywhere in it."""
        return bool(self.log)


def _form(value: Any) -> str:
    return "list" if isinstance(value, list | tuple) else "span"


Dimension = Annotated[
    Annotated[list[Any], Field(min_length=1), Tag("list")] | Annotated[Span, Tag("span")], Discriminator(_form)
]
"""The values of one path: a list, or a span."""


def flat(space: Any) -> Any:
    """A space whose paths are nested blocks (as ``--set tune.space.train.batch.size=[8,16]`` makes them) as paths."""
    if not isinstance(space, Mapping):
        return space
    paths: dict[Any, Any] = {}
    for path, values in space.items():
        if isinstance(values, Mapping) and values and not set(values) & set(Span.model_fields):
            paths |= {f"{path}.{inner}": below for inner, below in flat(values).items()}
        else:
            paths[path] = values
    return paths
