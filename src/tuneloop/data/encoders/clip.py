"""Clip: numbers far outside of what training rows hold are brought to the bound, or emptied."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Sequence
from typing import Literal, final

import msgspec
from pydantic import Field

from tuneloop.data.encoders import Encoder, State, chosen
from tuneloop.rows import Fields, Scalar

FEWEST = 5
"""Sizes that a column must have at least to have bounds: yes/no and small counts have no outliers."""


@final
class Clip(Encoder):
    """Finds the bounds of each column in the training rows; a row of any split is held to them."""

    columns: tuple[str, ...] | None = None
    """The columns to hold in bounds; by default all that hold only numbers in training, of at least 5 sizes."""
    method: Literal["iqr", "zscore", "quantile"] = "iqr"
    """What the bounds are: quartiles and their distance (Tukey), mean and standard deviation, or two quantiles."""
    factor: float = Field(3.0, gt=0)
    """How many times the distance (``iqr``: beyond the quartiles; ``zscore``: from the mean) is still allowed."""
    quantile: float = Field(0.001, gt=0, lt=0.5)
    """The share of rows beyond each bound of ``quantile``."""
    action: Literal["clip", "empty"] = "clip"
    """Whether a number out of bounds becomes the bound, or a missing value (which ``impute`` fills if it is next)."""

    def fit(self, rows: Iterable[Fields]) -> State:
        """Learn the bounds of each column."""
        columns: dict[str, array[float]] = {}
        texts: set[str] = set()
        for row in rows:
            for name, value in row.values.items():
                _see(columns, texts, name, value)
        able = [name for name, numbers in columns.items() if name not in texts and (self.columns or _varies(numbers))]
        names = chosen(self.columns, able, {*columns, *texts}, self.name)
        return {"bounds": {name: self._bounds(sorted(columns[name])) for name in names}}

    def encode(self, row: Fields, state: State) -> Fields:
        """Hold the numbers of a row to the bounds."""
        values = dict(row.values)
        for name, (low, high) in state["bounds"].items():
            value = values.get(name)
            if isinstance(value, int | float) and not low <= value <= high:
                values[name] = None if self.action == "empty" else (low if value < low else high)
        return msgspec.structs.replace(row, values=values)

    def _bounds(self, numbers: Sequence[float]) -> tuple[float, float]:
        if self.method == "quantile":
            return quantile(numbers, self.quantile), quantile(numbers, 1 - self.quantile)
        if self.method == "iqr":
            low, high = quantile(numbers, 0.25), quantile(numbers, 0.75)
            reach = self.factor * (high - low)
        else:
            low = high = math.fsum(numbers) / len(numbers)
            reach = self.factor * math.sqrt(math.fsum((number - low) ** 2 for number in numbers) / len(numbers))
        return low - reach, high + reach


def quantile(numbers: Sequence[float], share: float) -> float:
    """The value below which a share of sorted numbers lies, with a straight line between two of them (as numpy's).

    Example:
        >>> quantile([1.0, 2.0, 3.0, 4.0], 0.25)
        1.75
    """
    place = share * (len(numbers) - 1)
    low = int(place)
    high = min(low + 1, len(numbers) - 1)
    return numbers[low] + (place - low) * (numbers[high] - numbers[low])


def _see(columns: dict[str, array[float]], texts: set[str], name: str, value: Scalar) -> None:
    if isinstance(value, bool | str):
        texts.add(name)
    elif value is not None:
        columns.setdefault(name, array("d")).append(value)


def _varies(numbers: Sequence[float]) -> bool:
    sizes: set[float] = set()
    for number in numbers:
        sizes.add(number)
        if len(sizes) == FEWEST:
            return True
    return False
