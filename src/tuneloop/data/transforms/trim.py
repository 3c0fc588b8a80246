"""Trim: names of columns and cells of tables without stray blanks, invisible signs and full-width letters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar, final

import msgspec

from tuneloop.data.cells import tidy
from tuneloop.data.tables import header
from tuneloop.data.transforms import Transform
from tuneloop.rows import Drop, Fields, Record


@final
class Trim(Transform):
    """Tidies names and cells of tables; a spreadsheet's apostrophe before a number goes, the cell stays text."""

    rowwise: ClassVar[bool] = True

    def run(self, records: Iterable[Record]) -> Iterator[Record | Drop]:
        """Tidy each row of a table; other rows pass unchanged."""
        for record in records:
            content = record.content
            if isinstance(content, Fields):
                content = trimmed(content)
                self.tally["cells"] += sum(a != b for a, b in zip(content.values.values(), _cells(record), strict=True))
            yield record if content == record.content else record.having(content)


def trimmed(content: Fields) -> Fields:
    """A row with its names and cells tidied; two names that become the same are told apart by a number.

    Example:
        >>> trimmed(Fields({" town ": " Bend", "town": "  "}))
        Fields(values={'town': 'Bend', 'town.2': ''}, label=None)
    """
    names = header([tidy(name) for name in content.values])
    cells = [tidy(value) if isinstance(value, str) else value for value in content.values.values()]
    return msgspec.structs.replace(content, values=dict(zip(names, cells, strict=True)))


def _cells(record: Record) -> Iterable[object]:
    return record.content.values.values() if isinstance(record.content, Fields) else ()
