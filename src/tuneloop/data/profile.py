"""Profiles of columns: what kind of cells each holds, by the evidence of all rows."""

from __future__ import annotations

import re
from collections import Counter
from functools import lru_cache
from typing import Literal, TypeAlias

from tuneloop.data import dates, numbers
from tuneloop.data.cells import is_doubtful, is_missing
from tuneloop.data.clock import minute_of_day
from tuneloop.rows import Scalar

Kind: TypeAlias = Literal["number", "date", "time", "boolean", "code", "text"]

SURE = 0.9
"""Share of a column's cells that must be of a kind for the column to be of it."""
KNOWN = 200
"""Most values that a column of categories has."""
REPEATED = 5
"""Rows for each value that a column of categories has at least, on average."""
_CODE = re.compile(r"[A-Z]{2,3}|[A-Z]{1,5}[-_ ]?\d+[\w-]*")
_BOOLEANS = {"true", "false", "yes", "no", "y", "n", "t", "f", "是", "否"}


@lru_cache(maxsize=1 << 16)
def kind_of(value: Scalar) -> Kind:
    """The kind of one cell.

    Example:
        >>> kind_of("12.0 oz"), kind_of("2024-03-05"), kind_of("7:10 p.m."), kind_of("OR"), kind_of("Bend")
        ('number', 'date', 'time', 'code', 'text')
    """
    if isinstance(value, bool) or (isinstance(value, str) and value.strip().lower() in _BOOLEANS):
        return "boolean"
    if not isinstance(value, str):
        return "number"
    text = value.strip()
    if numbers.read(text) is not None and not (text.isdigit() and len(text) == 8 and dates.read(text)):
        return "number"
    if dates.read(text) is not None:
        return "date"
    if minute_of_day(text) is not None and len(text) < 40:
        return "time"
    return "code" if _CODE.fullmatch(text) else "text"


class Profile:
    """The cells of one column, counted by kind and, while they are few, by value."""

    def __init__(self) -> None:
        self.cells = 0
        self.kinds: Counter[Kind] = Counter()
        self.values: Counter[Scalar] = Counter()

    def see(self, value: Scalar) -> None:
        """Take account of a cell that is not missing."""
        if is_missing(value) or is_doubtful(value):
            return
        self.cells += 1
        self.kinds[kind_of(value)] += 1
        if len(self.values) <= KNOWN:
            self.values[value] += 1

    @property
    def kind(self) -> Kind:
        """The kind of the column: that of nearly all its cells, else text."""
        kind, times = self.kinds.most_common(1)[0] if self.kinds else ("text", 0)
        return kind if times >= SURE * self.cells else "text"

    @property
    def is_category(self) -> bool:
        """Whether few values come again and again."""
        return len(self.values) <= KNOWN and self.cells >= REPEATED * len(self.values)

    def fits(self, value: Scalar) -> bool:
        """Whether a cell may stand in this column: of its kind, and one of its values where those are few.

        A column of text takes any text, but a number or a date only where they are not rare in it.
        """
        if is_missing(value) or is_doubtful(value):
            return True
        kind = kind_of(value)
        if self.kind != "text":
            return kind == self.kind
        if self.is_category and self.values[value] >= 2:
            return True
        return not self.is_category and (kind in ("text", "code") or self.kinds[kind] >= (1 - SURE) * self.cells)
