"""Numbers: cells of text become numbers where their column shows how they are written, without units and signs."""

from __future__ import annotations

import statistics
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, Literal, final

import msgspec
from pydantic import Field, PrivateAttr

from tuneloop.data import numbers
from tuneloop.data.cells import clear_cells, is_doubtful, is_missing
from tuneloop.data.held import held
from tuneloop.data.numbers import Written
from tuneloop.data.transforms import Transform
from tuneloop.rows import Drop, Fields, Record, Scalar

LISTED = 20
LONGEST = 15
"""Digits that a spreadsheet and a float keep: a longer whole number is a code and stays text."""
SCALE = 10
"""Numbers with and without a percent sign whose medians are within this factor of each other are on one scale."""


@final
class Numbers(Transform):
    """Reads the columns of tables that hold numbers.

    Whether ``1,234`` has thousands or decimals is decided by the other cells of its column; without proof such cells
    stay as they are and are named. Codes (with leading zeros, or longer than 15 digits) stay text.
    """

    columns: tuple[str, ...] | None = None
    """The columns that hold numbers; by default those of which ``share`` of the cells can be read as numbers."""
    share: float = Field(0.9, gt=0, le=1)
    """Share of a column's cells that must be numbers for it to be taken for a column of numbers."""
    decimal: Literal[".", ","] | None = None
    """The decimal sign where a cell leaves it open; by default the column must prove it."""
    damaged: Literal["drop", "empty", "keep"] = "drop"
    """What becomes of a row with a long code that a spreadsheet cut to ``1.23457E+15``: it cannot be restored."""

    _columns: dict[str, _Column] = PrivateAttr(default_factory=dict)

    def named(self) -> dict[str, tuple[str, ...]]:
        """The columns that its options name."""
        return {"columns": self.columns or ()}

    def run(self, records: Iterable[Record]) -> Iterator[Record | Drop]:
        """Look at all rows first, then change them; rows that are not of tables pass unchanged."""
        self._columns = {}
        with held(records, self.place, self._see) as rows:
            for name, column in self._columns.items():
                column.decide(
                    self.share if self.columns is None else 0.0, self.decimal, named=name in (self.columns or ())
                )
            self._columns = {name: column for name, column in self._columns.items() if column.kind != "text"}
            for record in rows:
                yield self._changed(record)

    def found(self) -> dict[str, Any]:
        """For each column of numbers or codes: what it is, its decimal sign and unit, and which cells are open."""
        return {"columns": {name: column.report() for name, column in self._columns.items()}}

    def _see(self, content: Fields, origin: str) -> None:
        for name, value in clear_cells(content.values, self.columns):
            self._columns.setdefault(name, _Column()).see(value, origin)

    def _changed(self, record: Record) -> Record | Drop:
        content = record.content
        if not isinstance(content, Fields):
            return record
        values = dict(content.values)
        for name in self._columns.keys() & values.keys():
            value = values[name]
            if not isinstance(value, str) or is_missing(value) or is_doubtful(value):
                continue
            kind, number = self._columns[name].say(value)
            self.tally[kind] += 1
            self._columns[name].count(kind, record.origin)
            if kind == "damaged" and self.damaged == "drop":
                return Drop(f"`{name}` is a long code that a spreadsheet cut", self.name, record.origin, id=record.id)
            if kind == "read":
                values[name] = number
            elif kind == "damaged" and self.damaged == "empty":
                values[name] = None
        return record if values == content.values else record.having(msgspec.structs.replace(content, values=values))


class _Column:
    """What the cells of one column say of their numbers."""

    def __init__(self) -> None:
        self.cells = self.numbers = self.codes = self.long = self.cut = self.short = 0
        self.whole = True
        self.proof: dict[str, str] = {}
        self.open = False
        self.units: Counter[str] = Counter()
        self.widths: Counter[int] = Counter()
        self.spaced = False
        self.sizes = {"": array("d"), "%": array("d")}
        self.kind: Literal["number", "code", "several units", "text"] = "text"
        self.decimal: str | None = None
        self.percent = 1.0
        self.counts: Counter[str] = Counter()
        self.rows: dict[str, list[str]] = {"ambiguous": [], "damaged": [], "unread": []}

    def see(self, value: Scalar, origin: str) -> None:
        """Take account of a cell."""
        self.cells += 1
        if isinstance(value, bool) or not isinstance(value, str):
            self.numbers += not isinstance(value, bool)
            self.whole = self.whole and isinstance(value, int)
            return
        written = numbers.read(value)
        if written is None:
            return
        self.numbers += 1
        self.codes += written.keeps_zeros
        self.long += len(written.digits) > LONGEST and written.digits.isdigit()
        self.cut += _is_cut(written)
        self.spaced = self.spaced or written.spaced
        self.widths[len(written.digits)] += 1
        self.units[written.unit] += 1
        self.whole = self.whole and "." not in written.digits and "," not in written.digits and not written.exponent
        if not written.is_certain:
            self.open = True
        elif len(written.readings) == 1:
            self.proof.setdefault(next(iter(written.readings)), origin)
        if written.unit in self.sizes and written.is_certain:
            self.sizes[written.unit].append(abs(next(iter(written.readings.values()))))

    def decide(self, share: float, decimal: str | None, *, named: bool) -> None:
        """Settle what the column holds and how its cells are read."""
        units = [unit for unit in self.units if unit]
        long = self.long + self.cut
        if not named and (self.numbers < share * self.cells):
            return
        if len(units) > 1:
            self.kind = "several units"
            return
        if self.codes or (self.long and long >= 0.5 * self.numbers) or (self.cut and self.cut == self.numbers):
            self.kind = "code"
            return
        if self.spaced and len(self.widths) == 1 and not named:
            return  # blanks between digits that are always as many: telephones, not thousands
        self.kind = "number"
        self.decimal = next(iter(self.proof)) if len(self.proof) == 1 else decimal
        if self.units["%"] and self.sizes[""] and self.sizes["%"]:
            plain, signed = statistics.median(self.sizes[""]), statistics.median(self.sizes["%"])
            # 0.05 beside 0.06%: the sign is a slip. 0.05 beside 6%: the sign divides by a hundred.
            self.percent = 0.01 if signed > SCALE * plain else 1.0
        self.sizes = {}

    def say(self, value: str) -> tuple[str, Scalar]:
        """``read`` with the number, ``code``, ``ambiguous``, ``damaged`` or ``unread``."""
        written = numbers.read(value)
        if written is None:
            return "unread", None
        if self.kind == "several units":
            return "unread", None
        if self.kind == "code":
            return ("damaged" if _is_cut(written) else "code"), None
        number = (
            next(iter(written.readings.values())) if written.is_certain else written.readings.get(self.decimal or "")
        )
        if number is None:
            return "ambiguous", None
        if written.unit == "%":
            number = round(number * self.percent, 12) if self.percent != 1 else number
        number = float(f"{number:.{LONGEST}g}")  # 0.1 + 0.2 is written as 0.30000000000000004 and means 0.3
        return "read", int(number) if self.whole and number.is_integer() else number

    def count(self, kind: str, origin: str) -> None:
        """Count what became of a cell."""
        self.counts[kind] += 1
        if kind in self.rows and len(self.rows[kind]) < LISTED:
            self.rows[kind].append(origin)

    def report(self) -> dict[str, Any]:
        """What was found, as plain values and without a cell of the table."""
        units = {unit: count for unit, count in self.units.items() if unit}
        rows = {kind: origins for kind, origins in self.rows.items() if origins}
        said: dict[str, Any] = {"kind": self.kind, "cells": self.cells, **dict(sorted(self.counts.items()))}
        if self.kind == "number" and (self.open or len(self.proof) > 1):
            said["decimal"] = self.decimal or "unproven"
            said["proved_by"] = self.proof
        if units:
            said["units"] = units
        if self.units["%"]:
            said["percent_times"] = self.percent
        return {**said, "rows": rows} if rows else said


def _is_cut(written: Written) -> bool:
    """Whether a spreadsheet showed a long whole number as a power of ten: fewer digits are left than it had."""
    power = int(written.exponent[1:]) if written.exponent else 0
    return power >= 11 and len(written.digits.replace(".", "").replace(",", "")) <= power
