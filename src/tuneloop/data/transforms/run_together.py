"""Run together: a cell that holds its neighbour's value too is taken apart, where the neighbour is empty."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any, final

import msgspec
from pydantic import Field, PrivateAttr

from tuneloop.data.cells import is_missing
from tuneloop.data.held import held
from tuneloop.data.transforms import Transform
from tuneloop.rows import Drop, Fields, Record, Scalar

SEEN = 2
"""Rows in which a value must stand in its own column to be known as one of its values."""


@final
class RunTogether(Transform):
    """Takes ``city: Portland OR`` beside an empty ``state`` apart, if ``OR`` is a known state.

    It is done between two columns side by side where it happens often, and where cells of the first column do not
    end that way when the second is filled.
    """

    rows: int = Field(3, ge=1)
    """Rows in which it must happen between two columns for it to be believed."""

    _known: dict[str, Counter[str]] = PrivateAttr(default_factory=dict)
    _pairs: dict[tuple[str, str], Counter[str]] = PrivateAttr(default_factory=dict)

    def run(self, records: Iterable[Record]) -> Iterator[Record | Drop]:
        """Look at all rows first, then take cells apart; rows that are not of tables pass unchanged."""
        self._known, self._pairs = {}, {}
        with held(records, self.place, self._see) as rows:
            for record in rows:
                if isinstance(record.content, Fields):
                    self._count(record.content)
            believed = {pair for pair, counts in self._pairs.items() if self._is_believed(counts)}
            for record in rows:
                yield self._apart(record, believed) if believed else record

    def found(self) -> dict[str, Any]:
        """For each pair of columns: rows run together, and rows where the first ends like the filled second."""
        return {"pairs": {" + ".join(pair): dict(sorted(counts.items())) for pair, counts in self._pairs.items()}}

    def _see(self, content: Fields, origin: str) -> None:  # noqa: ARG002
        for name, value in content.values.items():
            if isinstance(value, str) and not is_missing(value) and len(value) <= 40:
                self._known.setdefault(name, Counter())[value] += 1

    def _count(self, content: Fields) -> None:
        for pair, cell, beside in _neighbours(content):
            if is_missing(beside):
                if self._parts(cell, pair[1]):
                    self._pairs.setdefault(pair, Counter())["run_together"] += 1
            elif cell.endswith(f" {beside}"):
                self._pairs.setdefault(pair, Counter())["meant"] += 1

    def _is_believed(self, counts: Counter[str]) -> bool:
        return counts["run_together"] >= self.rows and counts["run_together"] > 2 * counts["meant"]

    def _parts(self, cell: str, column: str) -> tuple[str, str] | None:
        """A cell's own value and the known value of another column at its end, the longest there is."""
        known = self._known.get(column) or Counter[str]()
        words = cell.split(" ")
        for count in range(1, len(words)):
            tail = " ".join(words[count:])
            if known[tail] >= SEEN:
                return " ".join(words[:count]).rstrip(" ,;/"), tail
        return None

    def _apart(self, record: Record, believed: set[tuple[str, str]]) -> Record:
        content = record.content
        if not isinstance(content, Fields):
            return record
        values = dict(content.values)
        for pair, cell, beside in _neighbours(content):
            parts = self._parts(cell, pair[1]) if pair in believed and is_missing(beside) else None
            if parts is not None and parts[0]:
                values[pair[0]], values[pair[1]] = parts
                self.tally["cells"] += 1
        return record if values == content.values else record.having(msgspec.structs.replace(content, values=values))


def _neighbours(content: Fields) -> Iterator[tuple[tuple[str, str], str, Scalar]]:
    """Columns side by side, with the cell of the first, which is text, and that of the second."""
    cells = list(content.values.items())
    for (name, cell), (other, beside) in pairwise(cells):
        if isinstance(cell, str) and " " in cell and (beside is None or isinstance(beside, str)):
            yield (name, other), cell, beside
