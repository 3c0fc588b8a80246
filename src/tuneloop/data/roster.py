"""The roster: what a split holds of each row in memory while the rows themselves lie on disk."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from tuneloop.data.columns import excerpt
from tuneloop.data.kinship import LABEL, cell, columns, question, same_group
from tuneloop.data.moments import AmbiguousTime, moment
from tuneloop.data.section import Split
from tuneloop.data.spill import Spill
from tuneloop.data.split import place
from tuneloop.errors import DataError, RecordError
from tuneloop.rows import Drop, Record
from tuneloop.rows.record import asked

STEP = "split"
NONE = -1
"""The number of a label or group that a row does not have."""


class Roster:
    """Rows put down as they come, and 24 bytes of each in memory.

    Args:
        spill: Where the rows go.
        split: The split; its ``by`` and ``column`` decide what is held.
        seed: The recipe's seed.
        hide: Takes out of a text what must not be shown.

    Attributes:
        questions: Of each row the digest of what it asks.
        whats: Of each row the number of its label, the digest of its group, or its time in microseconds.
        places: Of each row the place of its question or group, from which a side follows.
        labels: Labels by their number; None is that of the rows without.
        without: How many rows say nothing in the column.
    """

    def __init__(self, spill: Spill, split: Split, seed: int, hide: Callable[[str], str]) -> None:
        self.spill = spill
        self.questions = array("q")
        self.whats = array("q")
        self.places = array("d")
        self.labels: dict[str | None, int] = {}
        self.without = 0
        self._split, self._seed, self._hide = split, seed, hide
        self._column = split.column or LABEL

    def read(self, items: Iterable[Record | Drop]) -> Iterator[Drop]:
        """Put the records down; give what was set aside before, and the rows that cannot be split.

        Raises:
            DataError: No row has the column, or a time can be read in two ways.
        """
        known: dict[str, None] = {}
        said = 0
        for item in items:
            if isinstance(item, Drop):
                yield item
                continue
            value = None if self._split.by == "random" else cell(item, self._column)
            if value is None and self._split.by != "random":
                self.without += 1
                known.update(dict.fromkeys(columns(item)))
            said += value is not None
            try:
                what = self._what(value)
            except AmbiguousTime as error:
                (problem,) = error.problems
                where = f"{item.origin}, {self._column}"
                raise DataError(self._hide(problem.what), where=where, fix=problem.fix) from None
            except RecordError as error:
                detail = self._hide(excerpt({self._column: value}))
                yield Drop(error.problems[0].what, STEP, item.origin, detail, item.id)
                continue
            self._add(item, what)
        if self.without and not said:
            raise DataError(
                f"no row has the column {self._column!r} to split by",
                where="data.split.column",
                fix=f"name one of {', '.join(known)}" if known else "split by: random",
            )

    def _what(self, value: Any) -> int:
        if self._split.by == "time":
            return moment(value)
        if self._split.by == "stratified":
            return self.labels.setdefault(None if value is None else str(value), len(self.labels))
        return NONE if value is None else same_group(value)

    def _add(self, record: Record, what: int) -> None:
        self.spill.add(record)
        self.questions.append(question(record.content))
        self.whats.append(what)
        grouped = self._split.by == "group" and what != NONE
        self.places.append(place(["group", what] if grouped else asked(record.content), self._seed))

    def keys(self, index: int) -> tuple[int, ...]:
        """The digests that a row shares with the kin that it must stand with: of its question and its group."""
        if self._split.by == "group" and self.whats[index] != NONE:
            return self.questions[index], self.whats[index]
        return (self.questions[index],)
