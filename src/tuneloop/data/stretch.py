"""A stretch of the road from raw rows to records: steps that look at one row at a time, done by any process.

What comes out of a chunk of rows follows from the chunk alone, and the chunks from the files alone. So it makes no
difference how many processes share them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from tuneloop.data.contents import characters
from tuneloop.data.hiding import Hider
from tuneloop.data.ledger import Account, FileCounts, Step
from tuneloop.data.reading import CHARACTERS, ROWS, Chunk
from tuneloop.data.transforms import Transform
from tuneloop.errors import TuneloopError
from tuneloop.rows import Drop, Record


class _Packed(msgspec.Struct):
    """Records and drops as they go from process to process: the drops with their places among the records."""

    records: list[Record]
    drops: list[tuple[int, Drop]]


class _Outcome(msgspec.Struct):
    packed: _Packed
    accounts: list[Account]


_encoder = msgspec.msgpack.Encoder()
_batches = msgspec.msgpack.Decoder(_Packed)
_outcomes = msgspec.msgpack.Decoder(_Outcome)


@dataclass(frozen=True)
class Batch:
    """Some records and drops on their way between steps."""

    items: list[Record | Drop]

    def __reduce__(self) -> tuple[Any, ...]:
        return _batch, (_encoder.encode(_pack(self.items)),)


@dataclass(frozen=True)
class Outcome:
    """What came out of a chunk.

    Attributes:
        items: The records and drops, in order.
        accounts: The account of each step.
        counts: What came out of the file, where the chunk was of raw rows.
    """

    items: list[Record | Drop]
    accounts: list[Account]
    counts: FileCounts | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        data = _encoder.encode(_Outcome(_pack(self.items), self.accounts))
        return _outcome, (data, self.counts)


@dataclass(frozen=True)
class Stretch:
    """The steps of a stretch; called with a chunk, it does the work.

    Attributes:
        transforms: What is done to the records, in order; each looks at one row at a time.
        hider: What must not be seen of a row.
    """

    transforms: list[Transform]
    hider: Hider

    def __call__(self, chunk: Chunk | Batch) -> Outcome:
        """Work on a chunk of raw rows, or of records.

        Raises:
            TuneloopError: A step cannot go on.
        """
        counts = FileCounts(chunk.file.name, "") if isinstance(chunk, Chunk) else None
        items: Iterable[Record | Drop]
        if isinstance(chunk, Chunk) and counts is not None:
            items = chunk.items(counts, self.hider)
        elif isinstance(chunk, Batch):
            items = chunk.items
        steps = [Step(transform, self.hider) for transform in self.transforms]
        for step in steps:
            step.transform.tally.clear()
            items = step.run(items)
        try:
            return Outcome(list(items), [step.account for step in steps], counts)
        except TuneloopError as error:
            raise self.hider.error(error) from None


def batches(items: Iterable[Record | Drop]) -> Iterator[Batch]:
    """Put records and drops together into batches for a stretch."""
    batch: list[Record | Drop] = []
    size = 0
    for item in items:
        batch.append(item)
        size += characters(item.content) if isinstance(item, Record) else 0
        if len(batch) == ROWS or size > CHARACTERS:
            yield Batch(batch)
            batch, size = [], 0
    if batch:
        yield Batch(batch)


def _pack(items: list[Record | Drop]) -> _Packed:
    records = [item for item in items if isinstance(item, Record)]
    return _Packed(records, [(i, item) for i, item in enumerate(items) if isinstance(item, Drop)])


def _unpack(packed: _Packed) -> list[Record | Drop]:
    items: list[Record | Drop] = list(packed.records)
    for place, drop in packed.drops:
        items.insert(place, drop)
    return items


def _batch(data: bytes) -> Batch:
    return Batch(_unpack(_batches.decode(data)))


def _outcome(data: bytes, counts: FileCounts | None) -> Outcome:
    outcome = _outcomes.decode(data)
    return Outcome(_unpack(outcome.packed), outcome.accounts, counts)
