"""Groups: texts that share a key, in plain arrays; of a crowded group only some are compared with each other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tuneloop.data.near.bands import Keys
from tuneloop.data.near.tokens import Words

CROWD = 32
"""Most texts of one group that another is compared with."""


class Groups:
    """Who shares a key with whom. The keys given are overwritten: it takes no second copy of them.

    Args:
        batches: The keys of all texts, in order.
        order: The order in which texts come, as their numbers; of texts that are word for word the same only the
            first takes part.
        divide: Whether a crowded group is divided by the numbers in its texts.

    Attributes:
        twin: For each text the first in order that is word for word the same, itself where there is none.
        crowded: So many texts came to a group that was full.
    """

    def __init__(self, batches: list[Keys], order: NDArray[np.int64], divide: bool) -> None:
        self._batches = [batch.bands.view(np.int32) for batch in batches]
        self._size = len(self._batches[0]) if batches else 1
        self.twin = _twins(np.concatenate([batch.whole for batch in batches]), order)
        self.crowded = 0
        numbers = np.concatenate([batch.numbers for batch in batches])
        taking = np.flatnonzero(self.twin == np.arange(len(self.twin)))
        rooms: list[NDArray[np.int32]] = []
        count = 0
        for band in range(self._batches[0].shape[1]):
            keys = np.concatenate([batch.bands[:, band] for batch in batches])[taking]
            members, sizes = _runs(keys, numbers[taking] if divide else None)
            group = np.full(len(self.twin), -1, np.int32)
            group[taking[members]] = np.repeat(np.arange(count, count + len(sizes), dtype=np.int32), sizes)
            for i, batch in enumerate(self._batches):
                batch[:, band] = group[i * self._size : i * self._size + len(batch)]
            rooms.append(np.minimum(sizes, CROWD).astype(np.int32))
            count += len(sizes)
        self._room = np.concatenate(rooms)
        self._start = np.cumsum(self._room, dtype=np.int64) - self._room
        self._slots = np.empty(int(self._room.sum()), np.int32)
        self._filled = np.zeros(count, np.int32)

    def of(self, text: int) -> NDArray[np.int32]:
        """The groups of a text that have other members."""
        found = self._batches[text // self._size][text % self._size]
        return np.asarray(found[found >= 0])

    def met(self, groups: NDArray[np.int32]) -> list[int]:
        """The texts that stand in any of these groups; those that share most of them first."""
        filled = self._filled[groups]
        if not filled.any():
            return []
        starts = self._start[groups].tolist()
        slots = [self._slots[start : start + n] for start, n in zip(starts, filled.tolist(), strict=True) if n]
        texts, times = np.unique(np.concatenate(slots), return_counts=True)
        return [int(text) for text in texts[np.argsort(-times, kind="stable")]]

    def put(self, text: int, groups: NDArray[np.int32]) -> None:
        """Let a text stand in its groups, where there is room."""
        filled = self._filled[groups]
        free = filled < self._room[groups]
        self._slots[self._start[groups[free]] + filled[free]] = text
        self._filled[groups[free]] += 1
        self.crowded += not free.all()


def _twins(whole: Words, order: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each text the first in order with the same digest."""
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    by_digest = np.lexsort((rank, whole))
    ordered = whole[by_digest]
    new = np.append(True, ordered[1:] != ordered[:-1])[: len(ordered)]
    first = by_digest[np.flatnonzero(new)][np.cumsum(new) - 1]
    twin = np.empty(len(order), np.int64)
    twin[by_digest] = first
    return twin


def _runs(keys: NDArray[np.uint32], numbers: NDArray[np.uint32] | None) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The members of all groups of two or more, one group after the other, and the groups' sizes."""
    members, sizes = _equal(keys)
    if numbers is not None and len(sizes) and sizes.max() > CROWD:
        fine = keys.astype(np.uint64) << np.uint64(32)
        crowd = members[np.repeat(sizes > CROWD, sizes)]
        fine[crowd] |= numbers[crowd]
        members, sizes = _equal(fine)
    return members, sizes


def _equal(keys: NDArray[np.uint32] | Words) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    new = np.append(True, ordered[1:] != ordered[:-1])[: len(ordered)]
    edges = np.append(np.flatnonzero(new), len(ordered))
    sizes = np.diff(edges)
    return order[np.repeat(sizes > 1, sizes)], sizes[sizes > 1]
