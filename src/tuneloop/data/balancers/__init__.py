"""Balancers: after the split, on train only, rows of rare labels copied or rows of frequent ones set aside."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator

from pydantic import Field

from tuneloop.data.growth import made
from tuneloop.data.kinship import cell, columns
from tuneloop.errors import DataError
from tuneloop.parts import Part
from tuneloop.rows import Drop, Record


class Balancer(Part, ABC):
    """Changes how many rows of each label training sees."""

    column: str = "label"
    """Where the label stands: ``label`` is the row's own; else a column of the rows."""
    ratio: float = Field(1.0, gt=0, le=1)
    """How many rows the rarest label has at least for each row of the most frequent; 1 makes all equal."""

    def run(self, records: Iterable[Record], seed: int) -> Iterator[Record | Drop]:
        """Balance the training rows.

        Args:
            records: The rows in order; they are gone through twice.
            seed: The recipe's seed; another one chooses other rows.

        Yields:
            Every row as it is or set aside, and the copies, each named after its parent.

        Raises:
            DataError: No row has a label.
        """
        counts: Counter[object] = Counter()
        known: list[str] = []
        for record in records:
            label = cell(record, self.column)
            if label is not None:
                counts[label] += 1
            elif not known:
                known = columns(record)
        if not counts:
            raise DataError(
                f"no training row has the column {self.column!r} to balance by",
                where=f"data.balance.{self.name}.column",
                fix=f"name one of {', '.join(known)}" if known else "leave data.balance out",
            )
        wanted = self.wanted(counts)
        chosen = {label: self._choose(label, count, wanted[label], seed) for label, count in counts.items()}
        for record in records:
            label = cell(record, self.column)
            if label is None:
                yield record
                continue
            yield from self.times(record, next(chosen[label]))

    @abstractmethod
    def wanted(self, counts: Counter[object]) -> dict[object, int]:
        """How many rows each label shall have.

        Args:
            counts: How many it has.
        """

    def times(self, record: Record, count: int) -> Iterator[Record | Drop]:
        """A row so many times: set aside for 0, itself for 1, then copies."""
        if not count:
            yield Drop("its label has more rows than the balance takes", self.name, record.origin, id=record.id)
            return
        yield record
        for number in range(1, count):
            yield made(record, record.content, number, self.name)

    def _choose(self, label: object, count: int, wanted: int, seed: int) -> Iterator[int]:
        """How many times each row of a label is taken, in order: as even as can be, who gets one more is drawn."""
        base, rest = divmod(wanted, count)
        more = set(random.Random(f"{seed}:{label!r}").sample(range(count), rest))
        return (base + (at in more) for at in range(count))
