"""Groups: texts that share a key, and the pairs among them that may be near; of a crowd only some are compared."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from tuneloop.data.near.search import Search
from tuneloop.data.near.shelf import Shelf
from tuneloop.data.near.signs import Traits, signed
from tuneloop.data.near.stretches import stretches
from tuneloop.data.near.tokens import Words

CROWD = 32
"""Most texts of one group that another is compared with."""
ROOM = 1 << 20
"""Most pairs looked at at a time."""

Numbers = NDArray[np.int64]


class Catalogue:
    """Texts that were signed: their tokens on a shelf, their keys and traits in memory.

    Args:
        texts: The texts.
        shelf: Where their tokens go.
        search: What is looked for.
        order: The numbers of the texts in their order, or what gives them behind the last text; None takes them as
            they come.

    Attributes:
        twin: For each text the first in order that is word for word the same, itself where there is none.
    """

    def __init__(
        self,
        texts: Iterable[str],
        shelf: Shelf,
        search: Search,
        order: Numbers | Callable[[], Numbers] | None = None,
    ) -> None:
        self._search = search
        self._bands: list[NDArray[np.uint32]] = []
        each: list[Traits] = []
        whole: list[Words] = [np.zeros(0, np.uint64)]
        for batch in signed(texts, search):
            shelf.add(batch.tokens)
            self._bands.append(batch.keys.bands)
            whole.append(batch.keys.whole)
            each.append(batch.traits)
        self._traits = Traits.together(each)
        order = order() if callable(order) else order
        self._order = np.arange(len(shelf)) if order is None else order
        self.twin = _twins(np.concatenate(whole), self._order)

    def twins(self) -> Iterator[tuple[int, int]]:
        """The first of every text that has one before it, and the text."""
        later = np.flatnonzero(self.twin != np.arange(len(self.twin)))
        return zip(self.twin[later].tolist(), later.tolist(), strict=True)

    def pairs(self) -> Iterator[tuple[int, int]]:
        """Pairs of an earlier and a later text in order that may be near; those that share most keys first.

        Of texts that are word for word the same only the first takes part.
        """
        taking = self._order[self.twin[self._order] == self._order]
        met = [np.zeros(0, np.int64)]
        for band in range(self._bands[0].shape[1] if self._bands else 0):
            keys = np.concatenate([batch[:, band] for batch in self._bands])[taking]
            members, sizes = self._runs(keys, taking)
            for earlier, later in _within(sizes):
                one, other = members[earlier], members[later]
                fits = self._traits.may(taking[one], self._traits, taking[other], self._search)
                met.append(other[fits] * len(taking) + one[fits])
        self._bands = []
        pairs, times = np.unique(np.concatenate(met), return_counts=True)
        pairs = pairs[np.lexsort((pairs, -times, pairs // max(1, len(taking))))]
        for pair in pairs.tolist():
            later, earlier = divmod(pair, len(taking))
            yield int(taking[earlier]), int(taking[later])

    def _runs(self, keys: NDArray[np.uint32], taking: Numbers) -> tuple[Numbers, Numbers]:
        """The members of all groups of two or more, one group after the other, and the groups' sizes."""
        members, sizes = _equal(keys)
        if "numbers" in self._search.protect and len(sizes) and sizes.max() > CROWD:
            fine = keys.astype(np.uint64) << np.uint64(32)
            crowd = members[np.repeat(sizes > CROWD, sizes)]
            fine[crowd] |= self._traits.numbers[taking[crowd]]
            members, sizes = _equal(fine)
        self._search.counts["crowded"] += int(np.maximum(sizes - 1 - CROWD, 0).sum())
        return members, sizes


def _within(sizes: Numbers) -> Iterator[tuple[Numbers, Numbers]]:
    """Pairs of places in groups that stand one after the other: each member with those before it.

    In a crowd it is the first of the group, and those right before.
    """
    starts = np.cumsum(sizes) - sizes
    place = np.arange(sizes.sum()) - np.repeat(starts, sizes)
    partners = np.minimum(place, CROWD)
    for begin, end, part, turn in stretches(partners, ROOM):
        later = np.repeat(np.arange(begin, end), part)
        back = turn - CROWD  # the last half of a crowd's turns counts back from the member itself
        earlier = np.where(
            (place[later] > CROWD) & (turn >= CROWD // 2), later + back, np.repeat(starts, sizes)[later] + turn
        )
        yield earlier, later


def _twins(whole: Words, order: Numbers) -> Numbers:
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


def _equal(keys: NDArray[np.uint32] | Words) -> tuple[Numbers, Numbers]:
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    new = np.append(True, ordered[1:] != ordered[:-1])[: len(ordered)]
    edges = np.append(np.flatnonzero(new), len(ordered))
    sizes = np.diff(edges)
    return order[np.repeat(sizes > 1, sizes)], sizes[sizes > 1]
