"""Others: texts that are known, and which of many more are near any of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuneloop.data.near.groups import CROWD
from tuneloop.data.near.kept import keep, keep_shelf, keep_traits, kept, kept_shelf, kept_traits, room
from tuneloop.data.near.search import Near, Search
from tuneloop.data.near.shelf import Shelf, similarity, taken
from tuneloop.data.near.signs import Signer, Signs, Traits, batches, signed
from tuneloop.data.near.tokens import Words

DOORS = 20
"""So many bits of a key are looked at first, whether any of the others has them."""

Numbers = NDArray[np.int64]


def near_to(texts: Iterable[str], others: Iterable[str], search: Search | None = None) -> Iterator[Near]:
    """Find which texts are near any of others: train rows near test rows, or near a benchmark.

    Only the others are kept, about 700 bytes each at the default similarity and their tokens, on disk.

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
    with room(search.spill) as folder:
        seeker = known(others, folder, search)
        count = 0
        for found in search.shared(seeker, batches(texts)):
            for near in found.pairs:
                yield near._replace(later=near.later + count)
            count += found.texts
            for name, number in found.counts.items():
                search.counts[name] += number


def known(others: Iterable[str], folder: Path, search: Search) -> Seeker:
    """Put texts down in a folder so that others can be compared with them."""
    each: list[Signs] = []
    with Shelf(folder) as shelf:
        for signs in signed(others, search):
            shelf.add(signs.tokens)
            each.append(signs._replace(tokens=signs.tokens._replace(flat=signs.tokens.flat[:0])))
        keep_shelf(folder, shelf)
    traits = Traits.together([signs.traits for signs in each])
    keep_traits(folder, traits)
    whole = np.concatenate([np.zeros(0, np.uint64), *(signs.keys.whole for signs in each)])
    whole, first = np.unique(whole, return_index=True)
    keep(folder, whole=whole, first=first)
    first = np.sort(first)
    doors = np.zeros((search.shape.bands, 1 << DOORS), np.bool_)
    for band in range(search.shape.bands if each else 0):
        key = np.concatenate([signs.keys.bands[:, band] for signs in each])[first]
        full = _with_numbers(key, traits.numbers[first])
        order = np.argsort(full, kind="stable")
        arrays: dict[str, NDArray[Any]] = {f"keys{band}": full[order], f"texts{band}": first[order].astype(np.int32)}
        keep(folder, **arrays)
        doors[band, key >> np.uint32(32 - DOORS)] = True
    keep(folder, doors=np.packbits(doors, axis=1, bitorder="little"))
    return Seeker(folder, replace(search, crew=None, counts={}))


@dataclass(frozen=True)
class Found:
    """What was found for a batch of texts.

    Attributes:
        texts: How many they were.
        pairs: The nearest of the others for each that is near any; ``later`` counts within the batch.
        counts: What happened, as :class:`~tuneloop.data.near.search.Search` counts it.
    """

    texts: int
    pairs: list[Near]
    counts: dict[str, int]


@dataclass(frozen=True)
class Seeker:
    """Seeks texts near known ones; any process that sees the folder can do it.

    Attributes:
        folder: The known texts.
        search: What is looked for.
    """

    folder: Path
    search: Search

    def __reduce__(self) -> tuple[Any, ...]:
        return Seeker, (self.folder, self.search)  # without what was opened here

    def __call__(self, texts: list[str]) -> Found:
        """Seek a batch of texts."""
        signs = Signer(self.search.shape, self.search.seed)(texts)
        same = self._same(signs.keys.whole)
        met, crowded = self._met(signs)
        candidates: dict[int, list[int]] = {text: [other] for text, other in same.items()}
        for text, other in met:
            if text not in same:
                candidates.setdefault(text, []).append(other)
        pairs = [near for text in sorted(candidates) if (near := self._nearest(signs, text, candidates[text]))]
        counts = {"compared": sum(map(len, candidates.values())), "crowded": crowded}
        return Found(len(texts), pairs, counts)

    @cached_property
    def _index(self) -> _Index:
        return _Index(self.folder, self.search.shape.bands)

    def _same(self, whole: Words) -> dict[int, int]:
        """The texts that are word for word one of the others."""
        index = self._index
        if not len(index.whole):
            return {}
        at = np.minimum(np.searchsorted(index.whole, whole), len(index.whole) - 1)
        same = np.flatnonzero(index.whole[at] == whole)
        return dict(zip(same.tolist(), index.first[at[same]].tolist(), strict=True))

    def _met(self, signs: Signs) -> tuple[Iterator[tuple[int, int]], int]:
        """Pairs that share a key and may be near, by text; those that share most keys first. And who met a crowd."""
        index, search = self._index, self.search
        met, crowded = [np.zeros(0, np.int64)], 0
        for band, (known, texts) in enumerate(index.bands):
            key = signs.keys.bands[:, band]
            door = key >> np.uint32(32 - DOORS)
            some = np.flatnonzero((index.doors[band, door >> 3] >> (door & 7)) & 1)
            if len(some):
                text, other, crowds = _band(known, texts, key[some], signs.traits.numbers[some])
                text = some[text]
                crowded += crowds
                fits = signs.traits.may(text, index.traits, other, search)
                met.append(text[fits] * index.size + other[fits])
        pairs, times = np.unique(np.concatenate(met), return_counts=True)
        pairs = pairs[np.lexsort((pairs, -times, pairs // max(1, index.size)))]
        return (divmod(pair, index.size) for pair in pairs.tolist()), crowded

    def _nearest(self, signs: Signs, text: int, candidates: list[int]) -> Near | None:
        """The nearest of the candidates; None if none is near."""
        flat, starts = signs.tokens
        said = taken(flat[starts[text] : starts[text + 1]])
        best = (0.0, 0)
        for other in candidates:
            held = self._index.shelf.take(other)
            best = max(best, (similarity(held, said, self.search.similarity, self.search.protect), -other))
        return Near(-best[1], text, best[0]) if best[0] else None


class _Index:
    """The known texts of a folder."""

    def __init__(self, folder: Path, bands: int) -> None:
        self.shelf = kept_shelf(folder)
        self.size = len(self.shelf)
        self.traits = kept_traits(folder)
        self.whole, self.first, self.doors = (kept(folder, name) for name in ("whole", "first", "doors"))
        count = bands if self.size else 0
        self.bands = [(kept(folder, f"keys{band}"), kept(folder, f"texts{band}")) for band in range(count)]


def _band(
    known: Words, texts: NDArray[np.int32], key: NDArray[np.uint32], number: NDArray[np.uint32]
) -> tuple[Numbers, Numbers, int]:
    """Pairs of a text and one of the others with its key; where those are a crowd, first those with its numbers."""
    zero = np.zeros_like(number)
    low = np.searchsorted(known, _with_numbers(key, zero))
    high = np.searchsorted(known, _with_numbers(key, ~zero), side="right")
    crowd = high - low > CROWD
    found = [_pairs(low, np.minimum(high, low + CROWD), texts)]
    if crowd.any():
        full = _with_numbers(key, number)
        start, end = np.searchsorted(known, full), np.searchsorted(known, full, side="right")
        found.append(_pairs(start, np.where(crowd, np.minimum(end, start + CROWD), start), texts))
    pairs = np.concatenate(found, axis=1)
    return pairs[0], pairs[1], int(crowd.sum())


def _with_numbers(key: NDArray[np.uint32], number: NDArray[np.uint32]) -> Words:
    return (key.astype(np.uint64) << np.uint64(32)) | number


def _pairs(low: Numbers, high: Numbers, texts: NDArray[np.int32]) -> Numbers:
    """For each text (place of ``low``) a pair with each of the others from ``low`` to ``high`` (``2, pairs``)."""
    count = high - low
    asked = np.repeat(np.arange(len(low)), count)
    place = np.arange(len(asked)) - np.repeat(np.cumsum(count) - count, count) + np.repeat(low, count)
    return np.stack([asked, texts[place].astype(np.int64)])
