"""Render: rows of tables become texts, so that the steps behind it and the tasks can read them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar, final

from tuneloop.data.rendering import Rendering, marked
from tuneloop.data.transforms import Transform
from tuneloop.errors import RecordError
from tuneloop.rows import Drop, Fields, Record


@final
class Render(Rendering, Transform):
    """Writes each row of a table as text; to fill gaps first, use the encoder of the same name behind ``impute``."""

    rowwise: ClassVar[bool] = True

    def named(self) -> dict[str, tuple[str, ...]]:
        """The columns that its options name."""
        return {"columns": self.columns or ()}

    def run(self, records: Iterable[Record]) -> Iterator[Record | Drop]:
        """Write each row of a table; other rows pass unchanged."""
        for record in records:
            if not isinstance(record.content, Fields):
                yield record
                continue
            try:
                yield marked(record.having(self.rendered(record.content)))
            except RecordError as error:
                problem = error.problems[0]
                yield Drop(problem.what, self.name, record.origin, f"{problem.where}; {problem.fix}", record.id)
