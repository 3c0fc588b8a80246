"""Missing: cells that say there is no value become none, by a mark's nature or by what its column proves."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any, final

import msgspec
from pydantic import PrivateAttr

from tuneloop.data import dates, numbers
from tuneloop.data.cells import is_doubtful, is_missing
from tuneloop.data.held import held
from tuneloop.data.transforms import Transform
from tuneloop.rows import Drop, Fields, Record, Scalar

TYPED = 0.9
"""Share of a column's other cells that must be numbers, dates or times for a mark among them to be a missing value."""
_CODE = re.compile(r"[A-Z]{2}")
_TIME = re.compile(r"\d{1,2}[:.]\d\d(?::\d\d)?(?:\s*[ap]\.?m\.?)?", re.IGNORECASE)


@final
class Missing(Transform):
    """Empties cells that stand for a missing value.

    ``N/A``, ``?`` or ``#REF!`` mean nothing else. ``NA``, ``None``, ``ERROR`` or ``UNKNOWN`` may be values: where
    one stands in a column of numbers, dates or times it is the table's mark for a missing value, in all its
    columns. A mark that nothing proves stays, and the report names it.
    """

    marks: tuple[str, ...] = ()
    """More marks for a missing value, case aside, such as ``-999``."""
    keep: tuple[str, ...] = ()
    """Marks that are values here, case aside, such as ``None``."""

    _columns: dict[str, _Column] = PrivateAttr(default_factory=dict)
    _proved: dict[str, str] = PrivateAttr(default_factory=dict)

    def run(self, records: Iterable[Record]) -> Iterator[Record | Drop]:
        """Look at all rows first, then empty cells; rows that are not of tables pass unchanged."""
        self._columns, self._proved = {}, {}
        given, kept = {mark.strip().lower() for mark in self.marks}, {mark.strip().lower() for mark in self.keep}
        with held(records, self.place, self._see) as rows:
            for name, column in self._columns.items():
                for mark in column.marks if column.is_typed else ():
                    self._proved.setdefault(mark, name)
            for record in rows:
                content = record.content
                yield self._emptied(record, content, given, kept) if isinstance(content, Fields) else record

    def found(self) -> dict[str, Any]:
        """Cells emptied by column, the column that proved each doubtful mark, and the marks that nothing proves."""
        unproven = {
            name: {mark: times for mark, times in sorted(column.marks.items()) if mark not in self._proved}
            for name, column in self._columns.items()
        }
        return {
            "emptied": {name: column.emptied for name, column in self._columns.items() if column.emptied},
            "proved_by": dict(sorted(self._proved.items())),
            "unproven": {name: marks for name, marks in unproven.items() if marks},
        }

    def _emptied(self, record: Record, content: Fields, given: set[str], kept: set[str]) -> Record | Drop:
        label = None if content.label is None else str(content.label).strip().lower()
        if label is not None and label not in kept and (label in given or label in self._proved):
            return Drop("the label stands for a missing value", self.name, record.origin, id=record.id)
        values = {
            name: None if self._is_missing(name, value, given, kept) else value
            for name, value in content.values.items()
        }
        return record if values == content.values else record.having(msgspec.structs.replace(content, values=values))

    def _see(self, content: Fields, origin: str) -> None:  # noqa: ARG002
        for name, value in content.values.items():
            if not is_missing(value):
                self._columns.setdefault(name, _Column()).see(value)

    def _is_missing(self, name: str, value: Scalar, given: set[str], kept: set[str]) -> bool:
        if value is None:
            return False
        mark = str(value).strip().lower()
        if mark in kept:
            return False
        column = self._columns.get(name)
        missing = mark in given or is_missing(value)
        if not missing and mark in self._proved and column is not None and is_doubtful(value):
            missing = not (column.is_of_codes and _CODE.fullmatch(str(value).strip()))
        if missing:
            self._columns.setdefault(name, _Column()).emptied += 1
            self.tally["emptied"] += 1
        return missing


class _Column:
    """What the cells of one column are, marks aside."""

    def __init__(self) -> None:
        self.cells = self.typed = self.codes = self.emptied = 0
        self.marks: Counter[str] = Counter()

    def see(self, value: Scalar) -> None:
        """Take account of a cell that is no mark for sure."""
        if is_doubtful(value):
            self.marks[str(value).strip().lower()] += 1
            return
        self.cells += 1
        self.typed += not isinstance(value, str) or _is_typed(value)
        self.codes += isinstance(value, str) and bool(_CODE.fullmatch(value.strip()))

    @property
    def is_typed(self) -> bool:
        """Whether it is a column of numbers, dates or times."""
        return self.cells > 0 and self.typed >= TYPED * self.cells

    @property
    def is_of_codes(self) -> bool:
        """Whether it is a column of two capital letters, where ``NA`` is one of them."""
        return self.cells > 0 and self.codes >= TYPED * self.cells


@lru_cache(maxsize=4096)
def _is_typed(value: str) -> bool:
    text = value.strip()
    return numbers.read(text) is not None or bool(_TIME.fullmatch(text)) or dates.read(text) is not None
