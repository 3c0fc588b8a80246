"""Reconcile: rows that speak of one thing are made to tell the same, where the evidence for it is clear."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator
from typing import Any, final

import msgspec
from pydantic import Field, PrivateAttr

from tuneloop.data.cells import is_doubtful, is_missing
from tuneloop.data.clock import Clock, minute_of_day
from tuneloop.data.held import held
from tuneloop.data.transforms import Transform
from tuneloop.data.votes import Question, Verdict, decide, feeds
from tuneloop.rows import Drop, Fields, Record, Scalar

ANYBODY = ""
"""The source of all rows where no column names one."""
_WORDS = re.compile(r"[\W_]+")


@final
class Reconcile(Transform):
    """Repairs cells by the vote of all rows with the same key: a flight told by many sites, a town by its post code.

    Cells that say the same in other words (``7:10 p.m.`` and ``12/1 7:10PM``, ``St. Louis`` and ``ST LOUIS``) vote
    together. Sources that copy each other have one vote, and each counts by how reliable it is. What is not clear
    stays as it is. Memory grows with the number of keys.
    """

    by: tuple[str, ...] = Field(min_length=1)
    """The columns that name the thing; rows alike in them speak of the same."""
    columns: tuple[str, ...] = Field(min_length=1)
    """The columns that must be the same for one thing."""
    source: str | None = None
    """The column that says who tells it; without one every row has one vote."""
    share: float = Field(0.7, gt=0.5, le=1)
    """Share of the votes that a value needs to replace others."""
    support: int = Field(2, ge=1)
    """Rows that must say a value for it to replace others."""
    fill: bool = True
    """Whether missing cells are filled too."""

    _ballots: dict[Question, dict[str, Counter[Hashable]]] = PrivateAttr(default_factory=dict)
    _spelled: dict[str, dict[Hashable, Counter[str]]] = PrivateAttr(default_factory=dict)
    _clocks: dict[str, Clock | None] = PrivateAttr(default_factory=dict)
    _verdicts: dict[Question, Verdict] = PrivateAttr(default_factory=dict)
    _counts: dict[str, Counter[str]] = PrivateAttr(default_factory=dict)

    def named(self) -> dict[str, tuple[str, ...]]:
        """The columns that its options name."""
        return {"by": self.by, "columns": self.columns, "source": (self.source,) if self.source else ()}

    def run(self, records: Iterable[Record]) -> Iterator[Record | Drop]:
        """Let all rows vote, then repair them; rows that are not of tables pass unchanged."""
        cells: dict[str, Counter[str]] = defaultdict(Counter)
        keys: set[str] = set()

        def see(content: Fields, origin: str) -> None:  # noqa: ARG001
            keys.update(content.values)
            for name in self.columns:
                value = content.values.get(name)
                if isinstance(value, str) and not is_missing(value):
                    cells[name][value] += 1

        with held(records, self.place, see) as rows:
            self._clocks = {name: Clock.of(cells[name]) for name in self.columns}
            self._ballots, self._spelled = {}, {name: defaultdict(Counter) for name in self.columns}
            self._counts = {name: Counter() for name in self.columns}
            for record in rows:
                if isinstance(record.content, Fields):
                    self._vote(record.content)
            self._verdicts = {
                question: verdict
                for question, verdict in decide(self._ballots).items()
                if verdict.share >= self.share and verdict.rows >= self.support
            }
            for record in rows:
                yield self._repaired(record)

    def found(self) -> dict[str, Any]:
        """For each column: things told of, settled ones, contested ones left open, cells changed and filled; feeds."""
        told: dict[str, Counter[str]] = {name: Counter(self._counts[name]) for name in self._counts}
        for question, voices in self._ballots.items():
            values = {value for said in voices.values() for value in said if value is not None}
            counts = told[question[1]]
            counts["things"] += 1
            counts["settled"] += question in self._verdicts
            counts["left_open"] += question not in self._verdicts and len(values) > 1
        by_feed: dict[str, list[str]] = defaultdict(list)
        for source, feed in (feeds(self._ballots) if self.source else {}).items():
            by_feed[feed].append(source)
        copies = [sources for sources in by_feed.values() if len(sources) > 1]
        return {"columns": {name: dict(sorted(counts.items())) for name, counts in told.items()}, "feeds": copies}

    def _group(self, content: Fields) -> tuple[Hashable, ...] | None:
        values = [content.values.get(name) for name in self.by]
        return None if any(map(is_missing, values)) else tuple(map(_key, values))

    def _vote(self, content: Fields) -> None:
        group = self._group(content)
        if group is None:
            return
        source = ANYBODY if self.source is None else str(content.values.get(self.source))
        for name in self.columns:
            value = content.values.get(name)
            said = self._said(name, value)
            self._ballots.setdefault((group, name), {}).setdefault(source, Counter())[said] += 1
            if said is not None and isinstance(value, str):
                self._spelled[name][said][value] += 1

    def _said(self, name: str, value: Scalar) -> Hashable:
        """What a cell says, however it says it; None if nothing."""
        if is_missing(value) or is_doubtful(value):
            return None
        if self._clocks[name] is not None:
            return minute_of_day(str(value))
        return _key(value)

    def _repaired(self, record: Record) -> Record:
        content = record.content
        group = self._group(content) if isinstance(content, Fields) else None
        if group is None or not isinstance(content, Fields):
            return record
        values = dict(content.values)
        for name in self.columns:
            verdict = self._verdicts.get((group, name))
            value = values.get(name)
            if verdict is None or (is_missing(value) and not self.fill):
                continue
            right = self._written(name, verdict.value)
            if right != value and (not is_missing(value) or name in values):
                kind = "filled" if is_missing(value) else "changed"
                self.tally[kind] += 1
                self._counts[name][kind] += 1
                values[name] = right
        return record if values == content.values else record.having(msgspec.structs.replace(content, values=values))

    def _written(self, name: str, said: Hashable) -> Scalar:
        """A value as its column writes it: a time in the column's way, else the most frequent spelling."""
        clock = self._clocks[name]
        if clock is not None and isinstance(said, int):
            return clock.write(said)
        spelled = self._spelled[name].get(said)
        if spelled:
            return max(spelled, key=lambda text: (spelled[text], text))
        return said if isinstance(said, int | float | bool) else None


def _key(value: Scalar) -> Hashable:
    """A value without regard to case, blanks and punctuation; a number as it is."""
    if not isinstance(value, str):
        return value
    return _WORDS.sub(" ", value.casefold()).strip() or value
