"""Table: one row of plain cells by their columns' names."""

from __future__ import annotations

import datetime
import decimal
import math
from collections.abc import Mapping
from typing import Any, ClassVar, final

from tuneloop.data import turns
from tuneloop.data.cells import is_missing
from tuneloop.data.formats import Format
from tuneloop.rows import Fields, Scalar

FEWEST = 3
"""Columns that a file must have at least to be taken for a table of its own accord."""
LONGEST_NAME = 80
"""Characters of the longest name that a column is believed to have: a longer one is a cell without a header."""


@final
class Table(Format):
    """Takes every cell as it is given; what a column holds is decided later, over all rows."""

    shape = '{"age": "39", "town": "Bend", ...}: a table of numbers, dates, names; say which column is the label'
    fields = ()
    last_resort: ClassVar[bool] = True

    label: str | None = None
    """The column that is to be learned; it stands beside the cells, and a row without it is set aside."""
    ignore: tuple[str, ...] = ()
    """Columns that are no part of what is learned, such as a row's number; they are kept beside the record."""

    def reads(self, column: str) -> bool:
        """Every column but those to be ignored."""
        return column not in self.ignore

    def named(self) -> dict[str, tuple[str, ...]]:
        """The label; what is to be ignored need not be there."""
        return {} if self.label is None else {"label": (self.label,)}

    def fits(self, row: Mapping[str, Any]) -> float:
        """Hardly sure of a row of three or more plain cells under names that are names; never of any other."""
        if len(row) < FEWEST or not all(map(_is_name, row)) or not all(map(_is_plain, row.values())):
            return 0.0
        return 0.005

    def content(self, row: Mapping[str, Any]) -> Fields:
        """Read one row."""
        values = {name: _scalar(value, name) for name, value in row.items() if self.reads(name)}
        if self.label is None:
            return Fields(values)
        label = values.pop(self.label, None)
        if isinstance(label, str):
            label = label.strip()
        if label is None or is_missing(label):
            turns.refuse(f"`{self.label}` is missing", self.label, "give every row a label, or name another column")
        return Fields(values, label)


def _is_name(name: str) -> bool:
    return 0 < len(name) <= LONGEST_NAME and "\n" not in name and not name.replace(".", "").replace("-", "").isdigit()


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float | datetime.date | datetime.time | decimal.Decimal)


def _scalar(value: Any, name: str) -> Scalar:
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, decimal.Decimal):
        value = int(value) if value.is_finite() and value == value.to_integral_value() else float(value)
    if value is not None and not isinstance(value, str | int | float):
        kind = type(value).__name__
        turns.refuse(f"`{name}` holds a {kind}, no plain cell", name, f"leave it out: {{table: {{ignore: [{name}]}}}}")
    return None if isinstance(value, float) and not math.isfinite(value) else value
