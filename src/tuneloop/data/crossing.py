"""Crossing: all near pairs between two sides of a split, none missed.

MinHash finds most near pairs in little time; a split must not leave one. So what is held out is indexed whole, by an
exact similarity join with prefix filtering (Chaudhuri, Ganti, Kaushik: A Primitive Operator for Similarity Joins,
2006; Bayardo, Ma, Srikant: Scaling Up All Pairs Similarity Search, 2007).

With similarity s = 2 |A ∩ B| / (|A| + |B|), two texts that are near, |A| ≤ |B|, share at least s |A| shingles, which is
s / (2 - s) |B| or more. If the shingles of every text stand in one order, then the first |A| - ⌈s |A|⌉ + 1 of A and the
first |B| - ⌈s / (2 - s) |B|⌉ + 1 of B have one in common. Rare shingles stand first, so few texts meet by chance.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tuneloop.data.near.search import BATCH, Near, Search
from tuneloop.data.near.shelf import Shelf, similarity, taken
from tuneloop.data.near.tokens import BARE, NUMBER, Tokens, Words, mixed, shingles, tokens

Numbers = NDArray[np.int64]

SKETCH = 1 << 20
"""Counters for how often shingles occur; several share one, which only makes the order a little worse."""
ROOM = 1 << 22
"""Most meetings of texts looked at at a time."""
_HASH = np.uint64((1 << 48) - 1)


class _Heads(NamedTuple):
    """The first shingles of some texts: each one's hash, its text, and its place; and the sizes of all the texts."""

    hashes: Words
    texts: Numbers
    places: Numbers
    sizes: Numbers


class _Meeting(NamedTuple):
    """Shingles by their hash, the text of each, and its place there."""

    hashes: Words
    texts: Numbers
    places: Numbers


class _Index(NamedTuple):
    """The same of all held-out texts, in few bytes."""

    hashes: NDArray[np.uint32]
    texts: NDArray[np.int32]
    places: NDArray[np.int32]


class Crossing:
    """Held-out texts, and the question which others are near one of another side. Use it with ``with``.

    Args:
        others: The held-out texts.
        sides: The number of each one's side; it may be filled while the texts are taken.
        search: What is looked for; its hashes play no part.
    """

    def __init__(self, others: Iterable[str], sides: Iterable[int], search: Search) -> None:
        self._search = search
        self._shelf = Shelf(search.spill)
        self._sketch = np.zeros(SKETCH, np.uint32)
        for batch in _batches(others):
            self._shelf.add(batch)
            np.add.at(self._sketch, _buckets(shingles(*batch)), 1)
        self._sides = np.fromiter(sides, np.int64)
        self._sizes = np.zeros(len(self._shelf), np.int64)
        self._numbers = np.zeros((2, len(self._shelf)), np.uint64)
        short: list[_Meeting] = []
        long: list[_Meeting] = []
        for start in range(0, len(self._shelf), BATCH):
            batch = self._again(start, min(start + BATCH, len(self._shelf)))
            heads = self._heads(batch)
            self._sizes[start : start + BATCH] = heads.sizes
            first = heads.places < _short(heads.sizes, search.similarity)[heads.texts]
            short.append(_Meeting(heads.hashes[first], heads.texts[first] + start, heads.places[first]))
            long.append(_Meeting(heads.hashes, heads.texts + start, heads.places))
            self._numbers[:, start : start + BATCH] = _numbers(batch)
        self._short, self._long = _index(short), _index(long)

    def __enter__(self) -> Crossing:
        return self

    def __exit__(self, *error: object) -> None:
        self._shelf.__exit__(None, None, None)

    def met(self, texts: Iterable[str], sides: Iterable[int]) -> Iterator[Near]:
        """All pairs of a text and a held-out one of another side that are near.

        Args:
            texts: The texts asked about, streamed.
            sides: The number of each one's side, streamed behind them.

        Yields:
            Pairs: ``earlier`` is the number of the held-out text, ``later`` that of the text.
        """
        count, standing = 0, iter(sides)
        for batch in _batches(texts):
            size = len(batch.starts) - 1
            side = np.fromiter(islice(standing, size), np.int64)
            heads = self._heads(batch)
            last, said = -1, None
            for text, other in self._candidates(heads, _numbers(batch), side):
                if said is None or text != last:
                    last, said = text, taken(batch.flat[batch.starts[text] : batch.starts[text + 1]])
                self._search.counts["compared"] += 1
                alike = similarity(self._shelf.take(other), said, self._search.similarity, self._search.protect)
                if alike:
                    yield Near(other, count + text, alike)
            count += size

    def _candidates(self, heads: _Heads, numbers: Words, side: Numbers) -> Iterator[tuple[int, int]]:
        """Texts and others of another side that share one of their first shingles and are of fitting sizes."""
        if not len(self._sizes):
            return
        s = self._search.similarity
        first = heads.places < _short(heads.sizes, s)[heads.texts]
        met: list[Numbers] = []
        for known, chosen, smaller in ((self._short, first | True, True), (self._long, first, False)):
            asked = _Meeting(heads.hashes[chosen], heads.texts[chosen], heads.places[chosen])
            for text, other, place, there in _meetings(known, asked):
                a, b = heads.sizes[text], self._sizes[other]
                fits = (b <= a) if smaller else (b >= a)
                # Before the first that both have stands none that both have, so what is left must be enough.
                fits &= 2 * np.minimum(a - place, b - there) >= s * (a + b) - 1e-9
                fits &= side[text] != self._sides[other]
                if "numbers" in self._search.protect:
                    (count, digest), (counts, digests) = numbers[:, text], self._numbers[:, other]
                    fits &= (count != counts) | (digest == digests)
                met.append(np.unique(text[fits] * len(self._sizes) + other[fits]))
        for pair in np.unique(np.concatenate([*met, np.zeros(0, np.int64)])).tolist():
            yield divmod(pair, len(self._sizes))

    def _heads(self, batch: Tokens) -> _Heads:
        """The first shingles of each text of a batch, rare ones in front."""
        found = shingles(*batch)
        text = np.repeat(np.arange(len(batch.starts) - 1), 2 * np.diff(batch.starts)).astype(np.uint64)
        seen = np.log2(self._sketch[_buckets(found)].astype(np.float64) + 1).astype(np.uint64)
        ordered = np.sort((text << np.uint64(53)) | (seen << np.uint64(48)) | (found & _HASH))
        ordered = ordered[np.append(True, ordered[1:] != ordered[:-1])[: len(ordered)]]
        owner = (ordered >> np.uint64(53)).astype(np.int64)
        sizes = np.bincount(owner, minlength=len(batch.starts) - 1)
        places = np.arange(len(ordered)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        s = self._search.similarity
        kept = places < (sizes - np.ceil(sizes * (s / (2 - s)) - 1e-9) + 1)[owner]
        return _Heads(ordered[kept] & _HASH, owner[kept], places[kept], sizes)

    def _again(self, start: int, end: int) -> Tokens:
        """The tokens of held-out texts, taken up from the disk."""
        each = [self._shelf.tokens(index) for index in range(start, end)]
        return Tokens(np.concatenate(each), np.cumsum([0, *map(len, each)]))


def _batches(texts: Iterable[str]) -> Iterator[Tokens]:
    rest = iter(texts)
    while batch := list(islice(rest, BATCH)):
        yield tokens(batch)


def _numbers(batch: Tokens) -> Words:
    """How many numbers each text has, and a digest of them: as many, but others, are a difference."""
    number = (batch.flat & NUMBER) > 0
    return np.stack(
        [
            np.add.reduceat(each, batch.starts[:-1])
            for each in (number.astype(np.uint64), mixed(batch.flat & BARE) * number)
        ]
    )


def _buckets(found: Words) -> Numbers:
    return ((found >> np.uint64(8)) & np.uint64(SKETCH - 1)).astype(np.int64)


def _short(sizes: Numbers, s: float) -> NDArray[np.float64]:
    """How many first shingles the smaller of two near texts needs to show one that both have."""
    return np.asarray(sizes - np.ceil(sizes * s - 1e-9) + 1)


def _index(heads: list[_Meeting]) -> _Index:
    """All of them in the order of 32 bits of their hashes."""
    hashes = np.concatenate([*(each.hashes.astype(np.uint32) for each in heads), np.zeros(0, np.uint32)])
    texts = np.concatenate([*(each.texts.astype(np.int32) for each in heads), np.zeros(0, np.int32)])
    places = np.concatenate([*(each.places.astype(np.int32) for each in heads), np.zeros(0, np.int32)])
    order = np.argsort(hashes, kind="stable")
    return _Index(hashes[order], texts[order], places[order])


def _meetings(known: _Index, asked: _Meeting) -> Iterator[tuple[Numbers, Numbers, Numbers, Numbers]]:
    """Every text with every other that has one of its hashes, and the places of it; so many as there is room for."""
    hashes = asked.hashes.astype(np.uint32)
    low = np.searchsorted(known.hashes, hashes)
    count = np.searchsorted(known.hashes, hashes, side="right") - low
    some = np.flatnonzero(count)
    low, count = low[some], count[some]
    ends = np.cumsum(count)
    start = 0
    while start < len(count):
        done = ends[start - 1] if start else 0
        end = max(start + 1, int(np.searchsorted(ends, done + ROOM, side="right")))
        part = count[start:end]
        one = np.repeat(some[start:end], part)
        at = np.arange(part.sum()) - np.repeat(np.cumsum(part) - part, part) + np.repeat(low[start:end], part)
        yield asked.texts[one], known.texts[at].astype(np.int64), asked.places[one], known.places[at].astype(np.int64)
        start = end
