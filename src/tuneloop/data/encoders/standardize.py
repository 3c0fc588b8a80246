"""Standardize: numbers become z-scores, by mean and spread of the training rows."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import final

import msgspec

from tuneloop.data.encoders import Encoder, State, chosen
from tuneloop.errors import RecordError
from tuneloop.rows import Fields, Scalar


@final
class Standardize(Encoder):
    """Takes the mean from a number and divides by the standard deviation: ``(x - mean) / std``.

    The names are those of scikit-learn's ``StandardScaler``, and so are the values: the deviation is that of the
    rows themselves (divided by n), missing cells count for nothing, and a column that never varies is not divided.
    """

    columns: tuple[str, ...] | None = None
    """The columns to standardize; by default all that hold only numbers in training."""
    with_mean: bool = True
    """Whether the mean is taken away."""
    with_std: bool = True
    """Whether the rest is divided by the standard deviation."""

    def fit(self, rows: Iterable[Fields]) -> State:
        """Learn mean and deviation of each column in one pass (Welford, Technometrics 4(3), 1962)."""
        columns: dict[str, _Column] = {}
        for row in rows:
            for name, value in row.values.items():
                columns.setdefault(name, _Column()).see(value)
        able = [name for name, column in columns.items() if column.is_number and column.count]
        names = chosen(self.columns, able, columns, self.name)
        return {
            "mean": {name: columns[name].mean for name in names},
            "scale": {name: columns[name].scale for name in names},
        }

    def encode(self, row: Fields, state: State) -> Fields:
        """Write the numbers of a row as z-scores; missing cells stay missing."""
        values = dict(row.values)
        for name, mean in state["mean"].items():
            value = values.get(name)
            if value is None:
                continue
            if isinstance(value, bool | str):
                raise RecordError(
                    f"`{name}` is a number in training and not in this row", where=name, fix="mend it, or impute it"
                )
            less = value - mean if self.with_mean else value
            values[name] = less / state["scale"][name] if self.with_std else less
        return msgspec.structs.replace(row, values=values)

    def decode(self, row: Fields, state: State) -> Fields:
        """Give the numbers back as they were, up to rounding."""
        values = dict(row.values)
        for name, mean in state["mean"].items():
            value = values.get(name)
            if isinstance(value, int | float):
                more = value * state["scale"][name] if self.with_std else value
                values[name] = more + mean if self.with_mean else more
        return msgspec.structs.replace(row, values=values)


class _Column:
    """Running mean and squared deviation of one column."""

    def __init__(self) -> None:
        self.count = 0
        self.mean = self.squares = 0.0
        self.is_number = True

    def see(self, value: Scalar) -> None:
        """Take account of a cell."""
        if isinstance(value, bool | str):
            self.is_number = False
        elif value is not None:
            self.count += 1
            less = value - self.mean
            self.mean += less / self.count
            self.squares += less * (value - self.mean)

    @property
    def scale(self) -> float:
        """The standard deviation; 1 where there is none, rounding aside."""
        spread = math.sqrt(self.squares / self.count)
        return spread if spread > 10 * 2.0**-52 * abs(self.mean) else 1.0
