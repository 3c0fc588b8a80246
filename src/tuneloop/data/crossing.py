"""Crossing: all near pairs between two sides of a split, none missed.

MinHash finds most near pairs in little time; a split must not leave one. So what is held out is indexed whole, by an
exact similarity join with prefix filtering (Chaudhuri, Ganti, Kaushik: A Primitive Operator for Similarity Joins,
2006; Bayardo, Ma, Srikant: Scaling Up All Pairs Similarity Search, 2007).

With similarity s = 2 |A ∩ B| / (|A| + |B|), two texts that are near, |A| ≤ |B|, share at least s |A| shingles, which is
s / (2 - s) |B| or more. If the shingles of every text stand in one order, then the first |A| - ⌈s |A|⌉ + 1 of A and the
first |B| - ⌈s / (2 - s) |B|⌉ + 1 of B have one in common. Rare shingles stand first, so few texts meet by chance, and
nearly all that do are told apart by their sketches.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tuneloop.data.near.kept import keep, keep_shelf, keep_traits, kept, kept_shelf, kept_traits
from tuneloop.data.near.search import BATCH, Near, Search
from tuneloop.data.near.shelf import Shelf, similarity, taken
from tuneloop.data.near.signs import PLACE, Traits, batches, traits
from tuneloop.data.near.stretches import stretches
from tuneloop.data.near.tokens import Tokens, Words, shingles, tokens

Numbers = NDArray[np.int64]

COUNTERS = 1 << 20
"""Counters for how often shingles occur; several share one, which only makes the order a little worse."""
ROOM = 1 << 19
"""Most meetings of texts looked at at a time."""
_SEEN = np.uint64(48)
_HASH = np.uint64((1 << 48) - 1)


class _Heads(NamedTuple):
    """The first shingles of some texts: each one's hash, its text, and its place."""

    hashes: NDArray[np.uint32]
    texts: NDArray[np.int32]
    places: NDArray[np.int32]

    def those(self, which: NDArray[Any]) -> _Heads:
        """Some of them, by their numbers or by whether each is wanted."""
        return _Heads(self.hashes[which], self.texts[which], self.places[which])


class Crossing:
    """Held-out texts, and the question which others are near one of another side. Use it with ``with``.

    Args:
        others: The held-out texts.
        sides: The number of each one's side; it may be filled while the texts are taken.
        search: What is looked for; its hashes play no part.
    """

    def __init__(self, others: Iterable[str], sides: Iterable[int], search: Search) -> None:
        self._search = search
        self._room = TemporaryDirectory(dir=search.spill)
        folder = Path(self._room.name)
        with Shelf(folder) as shelf:
            counters = np.zeros(COUNTERS, np.int64)
            for batch in search.shared(tokens, batches(others)):
                shelf.add(batch)
                counters += np.bincount(_counter(shingles(*batch)), minlength=COUNTERS)
            keep(folder, seen=np.log2(counters + 1).astype(np.uint8))
            keep(folder, sides=np.fromiter(sides, np.int64))
            keep_shelf(folder, shelf)
            self._seeker = Seeker(folder, replace(search, crew=None, counts={}))
            parts = (shelf.batch(at, min(at + BATCH, len(shelf))) for at in range(0, len(shelf), BATCH))
            each: list[Traits] = []
            none = np.zeros(0, np.int32)
            heads = [_Heads(none.astype(np.uint32), none, none)]
            for at, (head, trait) in enumerate(search.shared(self._seeker.heads, parts)):
                each.append(trait)
                heads.append(head._replace(texts=head.texts + np.int32(at * BATCH)))
        together = Traits.together(each)
        keep_traits(folder, together)
        hashes, owners, places = map(np.concatenate, zip(*heads, strict=True))
        all_heads = _Heads(hashes, owners, places)
        first = all_heads.places < _short(together.sizes, search.similarity)[all_heads.texts]
        _index(folder, "long", all_heads)
        _index(folder, "short", all_heads.those(first))

    def __enter__(self) -> Crossing:
        return self

    def __exit__(self, *error: object) -> None:
        self._room.cleanup()

    def met(self, texts: Iterable[str], sides: Iterable[int]) -> Iterator[Near]:
        """All pairs of a text and a held-out one of another side that are near.

        Args:
            texts: The texts asked about, streamed.
            sides: The number of each one's side, streamed behind them.

        Yields:
            Pairs: ``earlier`` is the number of the held-out text, ``later`` that of the text.
        """
        standing = iter(sides)
        parts = ((batch, np.fromiter(islice(standing, len(batch)), np.int64)) for batch in batches(texts))
        count = 0
        for size, pairs, compared in self._search.shared(self._seeker, parts):
            self._search.counts["compared"] += compared
            for near in pairs:
                yield near._replace(later=near.later + count)
            count += size


@dataclass(frozen=True)
class Seeker:
    """Seeks texts near held-out ones; any process that sees the folder can do it.

    Attributes:
        folder: The held-out texts.
        search: What is looked for.
    """

    folder: Path
    search: Search

    def __reduce__(self) -> tuple[Any, ...]:
        return Seeker, (self.folder, self.search)  # without what was opened here

    def __call__(self, part: tuple[list[str], Numbers]) -> tuple[int, list[Near], int]:
        """Seek a batch of texts; how many they were, the pairs, and how many were compared for them."""
        texts, side = part
        batch = tokens(texts)
        heads, trait = self.heads(batch)
        pairs: list[Near] = []
        last, said, compared = -1, None, 0
        for text, other in self._candidates(heads, trait, side):
            if said is None or text != last:
                last, said = text, taken(batch.flat[batch.starts[text] : batch.starts[text + 1]])
            compared += 1
            alike = similarity(self._index.shelf.take(other), said, self.search.similarity, self.search.protect)
            if alike:
                pairs.append(Near(other, text, alike))
        return len(texts), pairs, compared

    def heads(self, batch: Tokens) -> tuple[_Heads, Traits]:
        """The first shingles of each text of a batch, rare ones in front, and the traits of the texts."""
        found = shingles(*batch)
        text = np.repeat(np.arange(len(batch.starts) - 1, dtype=np.uint64) << PLACE, 2 * np.diff(batch.starts))
        seen = self._seen[_counter(found)].astype(np.uint64) << _SEEN
        ordered = np.sort(text | seen | (found >> np.uint64(64) - _SEEN))
        ordered = ordered[np.append(True, ordered[1:] != ordered[:-1])[: len(ordered)]]
        trait = traits(batch, ordered)
        owner = (ordered >> PLACE).astype(np.int32)
        sizes = trait.sizes
        places = np.arange(len(ordered), dtype=np.int32) - (np.cumsum(sizes) - sizes).astype(np.int32)[owner]
        s = self.search.similarity
        chosen = places < (sizes - np.ceil(sizes * (s / (2 - s)) - 1e-9) + 1)[owner]
        return _Heads((ordered[chosen] & _HASH).astype(np.uint32), owner[chosen], places[chosen]), trait

    @cached_property
    def _seen(self) -> NDArray[np.uint8]:
        return kept(self.folder, "seen")

    @cached_property
    def _index(self) -> _Index:
        return _Index(self.folder)

    def _candidates(self, heads: _Heads, trait: Traits, side: Numbers) -> Iterator[tuple[int, int]]:
        """Texts and others of another side that share one of their first shingles and may be near."""
        index, s = self._index, self.search.similarity
        if not len(index.sides):
            return
        first = heads.places < _short(trait.sizes, s)[heads.texts]
        met = [np.zeros(0, np.int64)]
        for known, asked, smaller in (
            (index.long, heads.those(first), False),
            (index.short, heads, True),
        ):
            for text, other, place, there in _meetings(known, asked):
                a, b = trait.sizes[text], index.traits.sizes[other]
                fits = (b <= a) if smaller else (b >= a)
                # Before the first that both have stands none that both have, so what is left must be enough.
                fits &= 2 * np.minimum(a - place, b - there) >= s * (a + b) - 1e-9
                fits &= side[text] != index.sides[other]
                text, other = text[fits], other[fits]
                fits = trait.may(text, index.traits, other, self.search)
                met.append(np.unique(text[fits] * np.int64(len(index.sides)) + other[fits]))
        for pair in np.unique(np.concatenate(met)).tolist():
            yield divmod(pair, len(index.sides))


class _Index:
    """The held-out texts of a folder."""

    def __init__(self, folder: Path) -> None:
        self.shelf = kept_shelf(folder)
        self.traits = kept_traits(folder)
        self.sides = kept(folder, "sides")
        self.long, self.short = (
            _Heads(*(kept(folder, f"{name}_{field}") for field in _Heads._fields)) for name in ("long", "short")
        )


def _counter(found: Words) -> Numbers:
    return (found >> np.uint64(44)).astype(np.int64)


def _short(sizes: NDArray[np.int32], s: float) -> NDArray[np.float64]:
    """How many first shingles the smaller of two near texts needs to show one that both have."""
    return np.asarray(sizes - np.ceil(sizes * s - 1e-9) + 1)


def _index(folder: Path, name: str, heads: _Heads) -> None:
    """Keep heads in the order of their hashes."""
    ordered = heads.those(np.argsort(heads.hashes, kind="stable"))
    keep(folder, **{f"{name}_{field}": each for field, each in ordered._asdict().items()})


def _meetings(known: _Heads, asked: _Heads) -> Iterator[tuple[NDArray[Any], ...]]:
    """Every text with every other that has one of its hashes, and the places of it; so many as there is room for."""
    order = np.argsort(asked.hashes)  # what is looked up in order is found near what was looked up before
    hashes, texts, places = asked.those(order)
    low = np.searchsorted(known.hashes, hashes)
    count = np.searchsorted(known.hashes, hashes, side="right") - low
    some = np.flatnonzero(count)
    low, count = low[some], count[some]
    for start, end, part, turn in stretches(count, ROOM):
        one = np.repeat(some[start:end], part)
        at = turn + np.repeat(low[start:end], part)
        yield texts[one].astype(np.int64), known.texts[at].astype(np.int64), places[one], known.places[at]
