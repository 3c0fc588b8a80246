"""Keeping: which of several rows that say the same is kept, and what comes of the others."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tuneloop.data.contents import characters
from tuneloop.data.near.clusters import Clusters
from tuneloop.data.near.rows import sides
from tuneloop.data.spill import Spill
from tuneloop.errors import DataError
from tuneloop.rows import Content, Drop, Fields, Record

Keep: TypeAlias = Literal["first", "longest", "newest"]


class Kept(NamedTuple):
    """Which rows stay.

    Attributes:
        instead: For each row the number of the row that stays for it, -1 for one that stays itself.
        similarity: How alike the two are.
    """

    instead: NDArray[np.int64]
    similarity: NDArray[np.float32]

    @classmethod
    def all(cls, count: int) -> Kept:
        """So far every row stays."""
        return cls(np.full(count, -1, np.int64), np.zeros(count, np.float32))


def worth(keep: Keep, column: str) -> Callable[[Record], float]:
    """How much a row is wanted by a rule: of alike rows the one with most is kept, of equal ones the first.

    Args:
        keep: The rule.
        column: Where the time of a row stands, for ``newest``.

    Example:
        >>> from tuneloop.rows import Text
        >>> worth("longest", "")(Record.of(Text("to be"), origin="plays.txt:1"))
        5.0
    """
    if keep == "longest":
        return lambda record: float(characters(record.content))
    if keep == "newest":
        return lambda record: time_of(record, column)
    return lambda _: 0.0


def by_worth(values: array[float]) -> NDArray[np.int64]:
    """The numbers of rows, those that are wanted most first; equal ones in order."""
    return np.argsort(-np.array(values, np.float64), kind="stable")


def without_time(values: array[float], column: str, step: str) -> int:
    """How many rows have no time; they count as the oldest.

    Raises:
        DataError: None has any.
    """
    without = sum(value == -math.inf for value in values)
    if values and without == len(values):
        raise DataError(
            f"no row has a time in the column {column!r}",
            where=f"{step}.column",
            fix="name the column that holds ISO 8601 times or numbers, or set keep: first",
        )
    return without


def time_of(record: Record, column: str) -> float:
    """The time a row speaks of in a column, in seconds since the epoch; minus infinity where it says none.

    ISO 8601 is understood, without a zone as UTC, and any number, larger being newer.
    """
    value = (record.meta.get("other") or {}).get(column)
    if value is None and isinstance(record.content, Fields):
        value = record.content.values.get(column)
    if isinstance(value, bool) or value is None:
        return -math.inf
    try:
        number = float(value)
        return number if math.isfinite(number) else -math.inf
    except (TypeError, ValueError, OverflowError):
        pass
    try:
        time = datetime.fromisoformat(str(value).strip())
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return -math.inf


def settled(spill: Spill, kept: Kept, clusters: Clusters, reason: str, step: str) -> Iterator[Record | Drop]:
    """Give every row in order, those that do not stay as drops that name the row kept for them."""
    gone = np.flatnonzero(kept.instead >= 0)
    origins = {index: spill[index].origin for index in np.unique(kept.instead[gone]).tolist()}
    for index, record in enumerate(spill):
        instead = int(kept.instead[index])
        if instead < 0:
            if index in origins:
                clusters.show(record.origin, record.origin, said(record.content))
            yield record
        else:
            clusters.add(origins[instead], record.origin, said(record.content))
            detail = f"as {origins[instead]}, similarity {kept.similarity[index]:.2f}"
            yield Drop(reason, step, record.origin, detail, record.id)


def said(content: Content) -> str:
    """What a row says, for people: question and answer."""
    return "\n".join(filter(None, sides(content)))
