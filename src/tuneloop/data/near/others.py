"""Others: texts that are known, and which of many more are near any of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from tuneloop.data.near.bands import Keys, keys
from tuneloop.data.near.groups import CROWD
from tuneloop.data.near.search import BATCH, Near, Search
from tuneloop.data.near.shelf import Shelf, similarity, taken
from tuneloop.data.near.tokens import Tokens, Words, tokens


def near_to(texts: Iterable[str], others: Iterable[str], search: Search | None = None) -> Iterator[Near]:
    """Find which texts are near any of others: train rows near test rows, or near a benchmark.

    Only the others are held: about 350 bytes of memory each at the default similarity, their tokens on disk.

    Args:
        texts: The texts asked about, streamed.
        others: Those they must not be near to.
        search: What is looked for; the defaults if None.

    Yields:
        For each such text one pair, in order: ``earlier`` is the number of the nearest of the others, ``later`` that
        of the text.

    Example:
        >>> list(near_to(["The moon is far", "how do I return a shirt?"], ["How do I return a shirt"]))
        [Near(earlier=0, later=1, similarity=1.0)]
    """
    search = search or Search()
    with Shelf(search.spill) as shelf:
        known = _Known(others, shelf, search)
        count, rest = 0, iter(texts)
        while batch := list(islice(rest, BATCH)):
            asked = tokens(batch)
            for text, candidates in known.met(keys(asked, search.shape, search.seed)):
                best = known.nearest(asked, text, candidates)
                if best:
                    yield Near(best[1], count + text, best[0])
            count += len(batch)
        search.counts["crowded"] += known.crowded


class _Known:
    """The others on a shelf, and their keys, sorted."""

    def __init__(self, others: Iterable[str], shelf: Shelf, search: Search) -> None:
        self._shelf, self._search, self.crowded = shelf, search, 0
        batches: list[Keys] = []
        rest = iter(others)
        while batch := list(islice(rest, BATCH)):
            held = tokens(batch)
            shelf.add(held)
            batches.append(keys(held, search.shape, search.seed))
        whole = np.concatenate([*(each.whole for each in batches), np.zeros(0, np.uint64)])
        self._whole, self._first = np.unique(whole, return_index=True)
        self._first = np.sort(self._first)
        self._whole = whole[self._first]
        self._by_whole = np.argsort(self._whole)
        number = np.concatenate([*(each.numbers for each in batches), np.zeros(0, np.uint32)])[self._first]
        self._keys: list[Words] = []
        self._texts: list[NDArray[np.int32]] = []
        for band in range(search.shape.bands if batches else 0):
            key = np.concatenate([each.bands[:, band] for each in batches])[self._first]
            full = _with_numbers(key, number)
            order = np.argsort(full, kind="stable")
            self._keys.append(full[order])
            self._texts.append(self._first[order].astype(np.int32))

    def met(self, asked: Keys) -> Iterator[tuple[int, list[int]]]:
        """For each text that shares a key with any of the others those others, that share most keys first."""
        same = self._same(asked.whole)
        pairs: list[NDArray[np.int64]] = []
        for band, (known, texts) in enumerate(zip(self._keys, self._texts, strict=True)):
            pairs += self._band(known, texts, asked.bands[:, band], asked.numbers)
        met = np.concatenate([*pairs, np.zeros((0, 2), np.int64)])
        unique, times = np.unique(met, axis=0, return_counts=True)
        order = np.lexsort((unique[:, 1], -times, unique[:, 0]))
        found: dict[int, list[int]] = {text: [other] for text, other in same.items()}
        for text, other in unique[order].tolist():
            if text not in same:
                found.setdefault(text, []).append(other)
        yield from sorted(found.items())

    def nearest(self, asked: Tokens, text: int, candidates: list[int]) -> tuple[float, int] | None:
        """The similarity and number of the nearest of the candidates; None if none is near."""
        said = taken(asked.flat[asked.starts[text] : asked.starts[text + 1]])
        search, best = self._search, (0.0, 0)
        for other in candidates:
            search.counts["compared"] += 1
            alike = similarity(self._shelf.take(other), said, search.similarity, search.protect)
            best = max(best, (alike, -other))
        return (best[0], -best[1]) if best[0] else None

    def _same(self, whole: Words) -> dict[int, int]:
        """The texts that are word for word one of the others."""
        if not len(self._whole):
            return {}
        ordered = self._whole[self._by_whole]
        at = np.minimum(np.searchsorted(ordered, whole), len(ordered) - 1)
        known = np.flatnonzero(ordered[at] == whole)
        return dict(zip(known.tolist(), self._first[self._by_whole[at[known]]].tolist(), strict=True))

    def _band(
        self, known: Words, texts: NDArray[np.int32], key: NDArray[np.uint32], number: NDArray[np.uint32]
    ) -> list[NDArray[np.int64]]:
        """Pairs of a text and one of the others with its key; where those are a crowd, first those with its numbers."""
        zero = np.zeros_like(number)
        low = np.searchsorted(known, _with_numbers(key, zero))
        high = np.searchsorted(known, _with_numbers(key, ~zero), side="right")
        crowd = high - low > CROWD
        self.crowded += int(crowd.sum())
        found = [_pairs(low, np.minimum(high, low + CROWD), texts)]
        if crowd.any():
            full = _with_numbers(key, number)
            start, end = np.searchsorted(known, full), np.searchsorted(known, full, side="right")
            found.append(_pairs(start, np.where(crowd, np.minimum(end, start + CROWD), start), texts))
        return found


def _with_numbers(key: NDArray[np.uint32], number: NDArray[np.uint32]) -> Words:
    return (key.astype(np.uint64) << np.uint64(32)) | number


def _pairs(low: NDArray[np.int64], high: NDArray[np.int64], texts: NDArray[np.int32]) -> NDArray[np.int64]:
    """For each text (row of ``low``) a pair with each of the others from ``low`` to ``high``."""
    count = high - low
    asked = np.repeat(np.arange(len(low)), count)
    place = np.arange(len(asked)) - np.repeat(np.cumsum(count) - count, count) + np.repeat(low, count)
    return np.stack([asked, texts[place].astype(np.int64)], axis=1)
