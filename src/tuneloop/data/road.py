"""The road from raw rows to records that are done: stretches shared by processes, and between them steps that are not.

::

    chunks ─▶ [format, rowwise steps] ─▶ step ─▶ step ─▶ [rowwise steps] ─▶ step ─▶ …
              any process                this process    any process        this process
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

from tuneloop.data.clusters import Workers
from tuneloop.data.hiding import Hider
from tuneloop.data.ledger import FileCounts, Step
from tuneloop.data.reading import Chunk
from tuneloop.data.sources import OpenSource
from tuneloop.data.stretch import Batch, Outcome, Stretch, batches
from tuneloop.errors import TuneloopError
from tuneloop.monitoring.progress import Progress
from tuneloop.rows import Drop, Record

TELL = 500
"""Rows between two reports of progress."""


class Road:
    """All rows of all sources, led through the steps.

    Args:
        sources: The sources.
        steps: The steps, in order; their accounts are complete when the last row was given.
        hider: What must not be seen of a row.
        crew: Who shares the work.
        progress: Takes how far it is.
    """

    def __init__(
        self, sources: list[OpenSource], steps: list[Step], hider: Hider, crew: Workers, progress: Progress
    ) -> None:
        self._sources, self._steps, self._hider, self._crew, self._progress = sources, steps, hider, crew, progress
        self._counts: dict[str, FileCounts] = {}
        self._read = 0

    def items(self) -> Iterator[Record | Drop]:
        """Every row: a record that went through all steps, or a drop.

        Raises:
            DataError: A source cannot be read, or a worker was killed.
            TuneloopError: A step cannot go on.
        """
        groups = [(shared, list(steps)) for shared, steps in groupby(self._steps, lambda step: step.transform.rowwise)]
        first = groups.pop(0)[1] if groups and groups[0][0] else []
        self._progress.start("reading rows")
        items = self._stretch(self._chunks(), first)
        for shared, steps in groups:
            if shared:
                items = self._stretch(batches(items), steps)
                continue
            for step in steps:
                items = self._whole(items, step)
        try:
            yield from items
        except TuneloopError as error:
            raise self._hider.error(error) from None

    def _chunks(self) -> Iterator[Chunk]:
        for source in self._sources:
            for chunk in source.chunks(self._progress, self._hider):
                self._counts[chunk.file.name] = source.counts[-1]
                yield chunk

    def _stretch(self, chunks: Iterable[Chunk | Batch], steps: list[Step]) -> Iterator[Record | Drop]:
        work = Stretch([step.transform for step in steps], self._hider)
        outcome: Outcome
        for outcome in self._crew.map(work, chunks):
            for step, account in zip(steps, outcome.accounts, strict=True):
                step.account.add(account)
            if outcome.counts is not None:
                self._counts[outcome.counts.name].add(outcome.counts)
                self._read += outcome.counts.read
                self._progress.advance(self._read)
            yield from outcome.items
        for step in steps:
            step.check()

    def _whole(self, items: Iterable[Record | Drop], step: Step) -> Iterator[Record | Drop]:
        """A step that works in this process; if it lets rows go only when it has seen all, that is told, too."""
        given = 0
        all_seen = False

        def taken() -> Iterator[Record | Drop]:
            nonlocal all_seen
            count = 0
            for item in items:
                count += 1
                yield item
            if given < count // 2:
                all_seen = True
                self._progress.start(f"{step.transform.name}: rows looked at", count)

        for item in step.run(taken()):
            given += 1
            if all_seen and given % TELL == 0:
                self._progress.advance(given)
            yield item
        if all_seen:
            self._progress.advance(given)
