"""The space of a search: paths of the recipe, the values that each may take, and which of them count together."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from tuneloop.tuning.span import Span

Values = dict[str, Any]
"""A value for each path that counts."""
DIGITS = 4
"""Significant digits of drawn numbers: enough for any rate, and few enough to be read and written."""


@dataclass(frozen=True)
class Space:
    """What is varied.

    Attributes:
        dimensions: The values of each path: a list, or a span.

    Example:
        >>> space = Space({"train.optimizer": ["adamw", "sgd"], "train.optimizer.sgd.momentum": [0.0, 0.9]})
        >>> [list(cell.values()) for cell in space.cells()]
        [['adamw'], ['sgd', 0.0], ['sgd', 0.9]]
    """

    dimensions: Mapping[str, list[Any] | Span]

    @property
    def paths(self) -> list[str]:
        """The paths; the choice of a part stands before the options of that part."""
        return sorted(self.dimensions, key=lambda path: path.count("."))

    def counts(self, path: str, values: Values) -> bool:
        """Whether a path counts: each part that it goes through and that is varied too is the one that is chosen."""
        for above in self.dimensions:
            if path.startswith(f"{above}."):
                key = path[len(above) + 1 :].partition(".")[0]
                if above not in values or chosen(values[above]) != key:
                    return False
        return True

    def cells(self) -> Iterator[Values]:
        """Every combination of values, the last path's changing fastest; of a span, its grid points."""
        yield from self._cells(self.paths, {})

    def size(self) -> int:
        """The number of cells."""
        return sum(1 for _ in self.cells())

    def draw(self, random: Random) -> Values:
        """Draw a value for each path that counts, each for itself."""
        values: Values = {}
        for path in self.paths:
            if self.counts(path, values):
                dimension = self.dimensions[path]
                values[path] = drawn(dimension, random) if isinstance(dimension, Span) else random.choice(dimension)
        return values

    def _cells(self, paths: list[str], chosen: Values) -> Iterator[Values]:
        if not paths:
            yield chosen
            return
        path, *rest = paths
        if not self.counts(path, chosen):
            yield from self._cells(rest, chosen)
            return
        dimension = self.dimensions[path]
        for value in grid(dimension) if isinstance(dimension, Span) else dimension:
            yield from self._cells(rest, chosen | {path: value})


def drawn(span: Span, random: Random) -> int | float:
    """Draw a number of a span."""
    low, high = span.ends
    if span.whole and not span.by_magnitude:
        return random.randint(int(low), int(high))
    if span.whole:
        value = math.exp(random.uniform(math.log(low - 0.5), math.log(high + 0.5)))
    elif span.by_magnitude:
        value = math.exp(random.uniform(math.log(low), math.log(high)))
    else:
        value = random.uniform(low, high)
    return settled(span, value)


def settled(span: Span, value: float) -> int | float:
    """The number that is tried for one that was drawn: whole or of few digits, and inside the span.

    Example:
        >>> settled(Span(log=(1e-5, 1e-3)), 0.000123456)
        0.0001235
    """
    low, high = span.ends
    kept = round(value) if span.whole else float(f"{value:.{DIGITS}g}")
    return min(max(kept, low), high)


def grid(span: Span) -> list[int | float]:
    """The grid points of a span, evenly spaced (by magnitude where it says so), both ends among them.

    Example:
        >>> grid(Span(log=(1e-5, 1e-3))), grid(Span(int=(1, 4), points=9))
        ([1e-05, 0.0001, 0.001], [1, 2, 3, 4])
    """
    low, high = span.ends
    shares = [index / (span.points - 1) for index in range(span.points)]
    if span.by_magnitude:
        points = [low * (high / low) ** share for share in shares]
    else:
        points = [low + (high - low) * share for share in shares]
    return list(dict.fromkeys(settled(span, point) for point in points))


def chosen(value: Any) -> str:
    """The name of the part that a value chooses.

    Example:
        >>> chosen("sgd"), chosen({"sgd": {"momentum": 0.9}})
        ('sgd', 'sgd')
    """
    return str(next(iter(value), "")) if isinstance(value, Mapping) else str(value)
