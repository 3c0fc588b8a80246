"""Impute: missing cells are filled with what is usual in the training rows."""

from __future__ import annotations

import math
import statistics
from array import array
from collections import Counter
from collections.abc import Iterable
from typing import Literal, final

import msgspec
from pydantic import Field, model_validator

from tuneloop.data.encoders import Encoder, State, chosen
from tuneloop.rows import Fields, Scalar


@final
class Impute(Encoder):
    """Fills numbers by their median and everything else by its most frequent value, or as ``strategy`` says.

    The names are those of scikit-learn's ``SimpleImputer``, and so are the values.
    """

    columns: tuple[str, ...] | None = None
    """The columns to fill; by default all that hold a value anywhere in training."""
    strategy: Literal["auto", "mean", "median", "most_frequent", "constant"] = "auto"
    """What a missing cell becomes; ``auto``: the median of numbers, else the most frequent value."""
    fill_value: str | int | float | None = Field(
        None, examples=["unknown"], json_schema_extra={"beside": {"strategy": "constant"}}
    )
    """The value of ``constant``."""
    add_indicator: bool = False
    """Whether a column ``missing_NAME`` says 1 where a cell was missing, for columns with a gap in training."""

    @model_validator(mode="after")
    def _has_value(self) -> Impute:
        if (self.strategy == "constant") != (self.fill_value is not None):
            raise ValueError("fill_value and strategy: constant belong together")
        return self

    def fit(self, rows: Iterable[Fields]) -> State:
        """Learn the fill of each column and which columns have gaps."""
        columns: dict[str, _Column] = {}
        count = 0
        for row in rows:
            count += 1
            for name, value in row.values.items():
                columns.setdefault(name, _Column()).see(value, counts=self.strategy != "constant")
        numbers_only = self.strategy in ("mean", "median")
        able = [name for name, column in columns.items() if column.cells and (column.is_number or not numbers_only)]
        fills = {name: self._fill(columns[name]) for name in chosen(self.columns, able, columns, self.name)}
        return {"fills": fills, "gaps": [name for name in fills if columns[name].cells < count]}

    def encode(self, row: Fields, state: State) -> Fields:
        """Fill the missing cells of a row."""
        values = dict(row.values)
        for name, fill in state["fills"].items():
            if values.get(name) is None:
                values[name] = fill
        if self.add_indicator:
            values |= {f"missing_{name}": int(row.values.get(name) is None) for name in state["gaps"]}
        return msgspec.structs.replace(row, values=values)

    def decode(self, row: Fields, state: State) -> Fields:
        """Take the indicators away, and empty the cells that they say were missing."""
        values = dict(row.values)
        for name in state["gaps"] if self.add_indicator else ():
            if values.pop(f"missing_{name}", 0):
                values[name] = None
        return msgspec.structs.replace(row, values=values)

    def _fill(self, column: _Column) -> Scalar:
        if self.strategy == "constant":
            return self.fill_value
        if self.strategy == "mean":
            return math.fsum(column.numbers) / len(column.numbers)
        if self.strategy == "median" or (self.strategy == "auto" and column.is_number):
            middle = statistics.median(column.numbers)
            return int(middle) if column.is_whole and middle.is_integer() else middle
        most = max(column.values.values())
        ties = [value for value, times in column.values.items() if times == most]
        return min(ties) if column.is_number else min(ties, key=str)  # type: ignore[type-var]


class _Column:
    """The values of one column."""

    def __init__(self) -> None:
        self.cells = 0
        self.is_number = self.is_whole = True
        self.numbers = array("d")
        self.values: Counter[Scalar] = Counter()

    def see(self, value: Scalar, *, counts: bool) -> None:
        """Take account of a cell."""
        if value is None:
            return
        self.cells += 1
        if isinstance(value, bool | str):
            self.is_number, self.numbers = False, array("d")
        elif self.is_number:
            self.numbers.append(value)
            self.is_whole = self.is_whole and isinstance(value, int)
        if counts:
            self.values[value] += 1
