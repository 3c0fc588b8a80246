"""Inspection: what a leak certificate must know of the rows of finished splits, read a row group at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tuneloop.data.kinship import cell, question, same_group, whole
from tuneloop.data.moments import moment
from tuneloop.data.nearness import Texts
from tuneloop.data.section import Split
from tuneloop.errors import RecordError
from tuneloop.rows import Record
from tuneloop.store.parquet import read_records, row_groups

if TYPE_CHECKING:
    from tuneloop.data.near.others import Seeker

Chunk: TypeAlias = tuple[str, int]
"""The name of a split and the number of a row group in its file."""
NONE = -1
"""The group of a row that has none."""


@dataclass(frozen=True)
class Seen:
    """What was seen of some rows.

    Attributes:
        exact: Digests of what each row asks and of the whole of it (``rows, 2``).
        groups: Digests of their groups (``rows``).
        span: The oldest and newest of their times in microseconds; None where no time is asked for or known.
        near: The places of the rows that are near a held-out one, counted from 0.
        compared: How many pairs were compared for them.
    """

    exact: NDArray[np.int64]
    groups: NDArray[np.int64]
    span: tuple[int, int] | None
    near: list[int]
    compared: int


@dataclass(frozen=True)
class Splits:
    """The splits in a folder.

    Attributes:
        folder: The folder with ``train.parquet`` and so on.
    """

    folder: Path

    def chunks(self, *names: str) -> list[Chunk]:
        """All row groups of some splits, in order; none for a split that has no file."""
        paths = {name: path for name in names if (path := self.path(name)).exists()}
        return [(name, number) for name, path in paths.items() for number in range(row_groups(path))]

    def records(self, *chunks: Chunk) -> Iterator[Record]:
        """The records of some row groups."""
        for name, number in chunks:
            yield from read_records(self.path(name), number)

    def path(self, name: str) -> Path:
        """The file of a split."""
        return self.folder / f"{name}.parquet"

    def texts(self, chunk: Chunk) -> list[str]:
        """The near texts of the records of a row group."""
        return list(Texts(enumerate(self.records(chunk))))


@dataclass(frozen=True)
class Inspector:
    """Looks at row groups; any process can do it.

    Attributes:
        splits: Where they are.
        split: What is promised of them.
        seeker: Seeks what is near held-out texts; None does not look.
    """

    splits: Splits
    split: Split
    seeker: Seeker | None

    def __call__(self, chunk: Chunk) -> Seen:
        """Look at a row group."""
        records = list(self.splits.records(chunk))
        exact = np.array([(question(record.content), whole(record.content)) for record in records], np.int64)
        groups = np.array([self._group(record) for record in records], np.int64)
        times = [when for record in records if (when := self._time(record)) is not None]
        near, compared = self._near(records)
        return Seen(exact.reshape(-1, 2), groups, (min(times), max(times)) if times else None, near, compared)

    def _group(self, record: Record) -> int:
        if self.split.by != "group" or self.split.column is None:
            return NONE
        value = cell(record, self.split.column)
        return NONE if value is None else same_group(value)

    def _time(self, record: Record) -> int | None:
        if self.split.by != "time" or not self.split.column:
            return None
        try:
            return moment(cell(record, self.split.column))
        except RecordError:
            return None

    def _near(self, records: list[Record]) -> tuple[list[int], int]:
        from tuneloop.data.near.signs import batches

        if self.seeker is None:
            return [], 0
        texts = Texts(enumerate(records))
        met: set[int] = set()
        done = compared = 0
        for batch in batches(texts):
            found = self.seeker(batch)
            met.update(texts.owners[done + near.later] for near in found.pairs)
            done += found.texts
            compared += found.counts["compared"]
        return sorted(met), compared
