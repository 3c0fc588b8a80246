"""Shifted: rows whose cells moved by one column are moved back where only one way fits, else set aside."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Literal, final

import msgspec
from pydantic import PrivateAttr

from tuneloop.data.cells import is_missing
from tuneloop.data.held import held
from tuneloop.data.profile import Profile
from tuneloop.data.transforms import Transform
from tuneloop.rows import Drop, Fields, Record, Scalar

MISFITS = 2
"""Cells that must not fit their columns for a row to be taken for shifted: one is only a wrong cell."""
LISTED = 20


@final
class Shifted(Transform):
    """Knows from all rows what each column holds, and finds the rows of which several cells belong one column beside.

    A comma too many or too few moves all cells behind it. Moved back, every cell must fit its column again, and only
    one place for the gap may do that.
    """

    unclear: Literal["drop", "keep"] = "drop"
    """What becomes of a row that is shifted for sure, but could be moved back in several ways."""

    _columns: dict[str, Profile] = PrivateAttr(default_factory=dict)
    _rows: list[str] = PrivateAttr(default_factory=list)

    def run(self, records: Iterable[Record]) -> Iterator[Record | Drop]:
        """Look at all rows first, then move cells back; rows that are not of tables pass unchanged."""
        self._columns, self._rows = {}, []
        with held(records, self.place, self._see) as rows:
            for record in rows:
                yield self._moved(record)

    def found(self) -> dict[str, Any]:
        """What each column holds, and the first rows whose cells had moved."""
        return {"columns": {name: column.kind for name, column in self._columns.items()}, "rows": self._rows}

    def _see(self, content: Fields, origin: str) -> None:  # noqa: ARG002
        for name, value in content.values.items():
            self._columns.setdefault(name, Profile()).see(value)

    def _moved(self, record: Record) -> Record | Drop:
        content = record.content
        if (
            not isinstance(content, Fields)
            or self._misfits(list(content.values.values()), list(content.values)) < MISFITS
        ):
            return record
        names = list(self._columns)
        cells = [content.values.get(name) for name in names]
        ways = {tuple(way) for way in _ways(cells) if not self._misfits(way, names)}
        if not ways:
            self.tally["wrong cells"] += 1
            return record
        if len(self._rows) < LISTED:
            self._rows.append(record.origin)
        if len(ways) == 1:
            self.tally["moved back"] += 1
            return record.having(msgspec.structs.replace(content, values=dict(zip(names, ways.pop(), strict=True))))
        self.tally["unclear"] += 1
        if self.unclear == "keep":
            return record
        return Drop("its cells moved to other columns, in an unclear way", self.name, record.origin, id=record.id)

    def _misfits(self, cells: list[Scalar], names: list[str]) -> int:
        return sum(not self._columns[name].fits(cell) for name, cell in zip(names, cells, strict=True))


def _ways(cells: list[Scalar]) -> Iterator[list[Scalar]]:
    """The rows that a shifted one may have been: with a gap opened, or an empty cell closed, at each place."""
    for place in range(len(cells)):
        if is_missing(cells[-1]):
            yield [*cells[:place], None, *cells[place:-1]]
        if is_missing(cells[place]):
            yield [*cells[:place], *cells[place + 1 :], None]
