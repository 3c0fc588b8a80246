"""Dates: mixed forms become ISO 8601, in an order that the column proves or you say, never by a guess."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, Literal, final

import msgspec
from pydantic import Field, PrivateAttr

from tuneloop.data import dates
from tuneloop.data.cells import clear_cells, is_doubtful, is_missing
from tuneloop.data.dates import Dated, Order
from tuneloop.data.held import held
from tuneloop.data.transforms import Transform
from tuneloop.rows import Drop, Fields, Record, Scalar

LISTED = 20
"""Rows of each kind that the report names."""


@final
class Dates(Transform):
    """Reads the columns of tables that hold dates.

    ``03/04/2024`` is 3 April to some and 4 March to others. A column's cells of one shape share an order; a cell
    that allows only one, such as ``13/04/2024``, proves it for all of them. Without proof, and where proofs speak
    against each other, such cells are left as they are (or set aside) and named.
    """

    columns: tuple[str, ...] | None = None
    """The columns that hold dates; by default those of which ``share`` of the cells can be read as dates."""
    share: float = Field(0.8, gt=0, le=1)
    """Share of a column's cells that must be dates for it to be taken for a column of dates."""
    order: Order | dict[str, Order] | None = None
    """Order of day, month and year where a cell leaves it open, for all columns or by column."""
    pivot: int = Field(69, ge=0, le=100)
    """Years of two digits from this one on are of the 1900s, those below of the 2000s (69 as in POSIX)."""
    ambiguous: Literal["keep", "drop"] = "keep"
    """What becomes of a row with a date whose order nothing proves: the cell stays as given, or the row goes."""
    impossible: Literal["drop", "empty", "keep"] = "drop"
    """What becomes of a row with a day or time that does not exist, such as 30 February."""

    _columns: dict[str, _Column] = PrivateAttr(default_factory=dict)

    def named(self) -> dict[str, tuple[str, ...]]:
        """The columns that its options name."""
        return {"columns": self.columns or (), "order": tuple(self.order) if isinstance(self.order, dict) else ()}

    def run(self, records: Iterable[Record]) -> Iterator[Record | Drop]:
        """Look at all rows first, then change them; rows that are not of tables pass unchanged."""
        self._columns = {}
        with held(records, self.place, self._see) as rows:
            self._columns = {name: column for name, column in self._columns.items() if self._is_date(name, column)}
            for column in self._columns.values():
                column.decide()
            for record in rows:
                yield self._changed(record)

    def found(self) -> dict[str, Any]:
        """For each column of dates: its cells, the order of each shape and the row that proves it, and what is open."""
        return {"columns": {name: column.report() for name, column in self._columns.items()}}

    def _see(self, content: Fields, origin: str) -> None:
        for name, value in clear_cells(content.values, self.columns):
            order = self.order.get(name) if isinstance(self.order, dict) else self.order
            self._columns.setdefault(name, _Column(self.pivot, order)).see(value, origin)

    def _is_date(self, name: str, column: _Column) -> bool:
        if self.columns is not None:
            return name in self.columns
        if not column.shapes or set(column.shapes) == {"00000000"}:
            return bool(column.shapes) and column.dated == column.cells and not column.impossible
        return column.dated + column.serials >= self.share * column.cells and column.dated > column.impossible

    def _changed(self, record: Record) -> Record | Drop:
        content = record.content
        if not isinstance(content, Fields):
            return record
        values = dict(content.values)
        for name in self._columns.keys() & values.keys():
            value = values[name]
            if is_missing(value) or is_doubtful(value):
                continue
            column = self._columns[name]
            kind, text = column.say(value)
            self.tally[kind] += 1
            column.count(kind, record.origin)
            if kind == "impossible" and self.impossible == "drop":
                return Drop(f"`{name}` holds a day or time that does not exist", self.name, record.origin, id=record.id)
            if kind == "ambiguous" and self.ambiguous == "drop":
                return Drop(f"`{name}` holds a date of unproven order", self.name, record.origin, id=record.id)
            if kind == "read":
                values[name] = text
            elif kind == "impossible" and self.impossible == "empty":
                values[name] = None
        return record if values == content.values else record.having(msgspec.structs.replace(content, values=values))


class _Column:
    """What the cells of one column say of their dates."""

    def __init__(self, pivot: int, order: Order | None) -> None:
        self.pivot, self.order = pivot, order
        self.cells = self.dated = self.impossible = self.serials = 0
        self.shapes: dict[str, set[str]] = {}
        self.orders: dict[str, str | None] = {}
        self.proof: dict[str, dict[str, str]] = {}
        self.first = self.last = ""
        self.counts: Counter[str] = Counter()
        self.rows: dict[str, list[str]] = {"ambiguous": [], "impossible": [], "unread": []}

    def see(self, value: Scalar, origin: str) -> None:
        """Take account of a cell: the orders that are possible for its shape become fewer."""
        self.cells += 1
        if _days(value) is not None:
            self.serials += 1
        dated = self._read(value)
        if dated is None:
            return
        self.dated += 1
        if not dated.readings:
            self.impossible += 1
            return
        possible = self.shapes.get(dated.shape)
        self.shapes[dated.shape] = set(dated.readings) if possible is None else possible & set(dated.readings)
        if len(dated.readings) == 1:
            self.proof.setdefault(dated.shape, {}).setdefault(next(iter(dated.readings)), origin)
            day = next(iter(dated.readings.values()))[:10]
            self.first, self.last = min(self.first or day, day), max(self.last, day)

    def decide(self) -> None:
        """Settle the order of each shape: the only one that is possible for all its cells and for its relatives."""
        for shape in self.shapes:
            kin = [self.shapes[name] for name in dates.related(shape) if name in self.shapes]
            left = set.intersection(*kin)
            self.orders[shape] = next(iter(left)) if len(left) == 1 else None

    def say(self, value: Scalar) -> tuple[str, str]:
        """``read`` with the date, or ``ambiguous``, ``impossible`` or ``unread``."""
        dated = self._read(value)
        if dated is None:
            days = _days(value)
            day = None if days is None else dates.serial(days)
            if day is not None and self.first and self.first[:4] <= day[:4] <= self.last[:4]:
                return "read", day
            return "unread", ""
        if not dated.readings:
            return "impossible", ""
        if dated.is_certain:
            return "read", next(iter(dated.readings.values()))
        reading = dated.readings.get(self.order or "") or dated.readings.get(self.orders.get(dated.shape) or "")
        return ("read", reading) if reading else ("ambiguous", "")

    def count(self, kind: str, origin: str) -> None:
        """Count what became of a cell."""
        self.counts[kind] += 1
        if kind in self.rows and len(self.rows[kind]) < LISTED:
            self.rows[kind].append(origin)

    def report(self) -> dict[str, Any]:
        """What was found, as plain values and without a cell of the table."""
        shapes = {
            shape: {"order": self.order or self.orders[shape] or "unproven", "proved_by": self.proof.get(shape, {})}
            for shape in sorted(self.shapes)
        }
        rows = {kind: origins for kind, origins in self.rows.items() if origins}
        return {"cells": self.cells, **dict(sorted(self.counts.items())), "shapes": shapes, "rows": rows}

    def _read(self, value: Scalar) -> Dated | None:
        if isinstance(value, bool | float) or value is None:
            return None
        return dates.read(str(value), self.pivot)


def _days(value: Scalar) -> float | None:
    """A cell as the serial number of a day, if it can be one."""
    if isinstance(value, bool) or value is None:
        return None
    try:
        days = float(value)
    except ValueError:
        return None
    return days if dates.serial(days) is not None else None
