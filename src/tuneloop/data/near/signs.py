"""Signs: what tells quickly, and never wrongly, that two texts are not near: their sizes, numbers and sketches.

A sketch has a bit for every class of shingles: whether an odd number of the text's shingles is of that class. Where two
texts differ in d shingles their sketches differ in at most d bits (Sandes, Teodoro, Melo: Bitmap filter, 2020), so that
nearly all pairs that share a key by chance are known for it without their shingles being looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tuneloop.data.near.bands import Keys, Shape, keys
from tuneloop.data.near.search import BATCH, Search
from tuneloop.data.near.tokens import BARE, NUMBER, Tokens, Words, mixed, shingles, tokens

BITS = 512
"""Bits of a sketch."""
PLACE = np.uint64(54)
"""Above so many bits of a shingle's hash stands the number of its text."""


class Traits(NamedTuple):
    """What is held of texts to tell which cannot be near.

    Attributes:
        sizes: How many different shingles each has (``texts``).
        counts: How many numbers each has (``texts``).
        numbers: A digest of these numbers (``texts``).
        sketches: Their sketches (``texts, BITS / 64``).
    """

    sizes: NDArray[np.int32]
    counts: NDArray[np.int32]
    numbers: NDArray[np.uint32]
    sketches: Words

    @classmethod
    def together(cls, each: list[Traits]) -> Traits:
        """The traits of several batches as those of one."""
        if not each:
            none = np.zeros(0, np.int32)
            return cls(none, none, none.astype(np.uint32), np.zeros((0, BITS // 64), np.uint64))
        return cls(*map(np.concatenate, zip(*each, strict=True)))

    def may(self, some: NDArray[np.int64], others: Traits, of: NDArray[np.int64], search: Search) -> NDArray[np.bool_]:
        """Which pairs may be near; of those it denies, none is.

        Args:
            some: Numbers of texts of these.
            others: Other texts, or the same.
            of: The number of the other text of each pair.
            search: What is looked for.
        """
        a, b = self.sizes[some], others.sizes[of]
        both = a + b
        fits = 2 * np.minimum(a, b) >= search.similarity * both - 1e-9
        if "numbers" in search.protect:  # as many numbers, but others: each text has one that the other has not
            fits &= (self.counts[some] != others.counts[of]) | (self.numbers[some] == others.numbers[of])
        left = np.flatnonzero(fits)
        apart = np.bitwise_count(self.sketches[some[left]] ^ others.sketches[of[left]]).sum(1, dtype=np.int32)
        fits[left] = apart <= (1 - search.similarity) * both[left] + 1e-9
        return fits


class Signs(NamedTuple):
    """What is made of a batch of texts: their tokens, the keys that near ones share, and their traits."""

    tokens: Tokens
    keys: Keys
    traits: Traits


@dataclass(frozen=True)
class Signer:
    """Signs texts; any process can do it.

    Attributes:
        shape: How many keys, of how many hashes.
        seed: Decides the hash functions.
    """

    shape: Shape
    seed: int

    def __call__(self, texts: list[str]) -> Signs:
        """Sign a batch of texts."""
        taken = tokens(texts)
        found = shingles(*taken)
        return Signs(taken, keys(taken, found, self.shape, self.seed), traits(taken, distinct(taken, found)))


def signed(texts: Iterable[str], search: Search) -> Iterator[Signs]:
    """Sign texts, a batch at a time; the search's crew shares the work."""
    yield from search.shared(Signer(search.shape, search.seed), batches(texts))


def batches(texts: Iterable[str]) -> Iterator[list[str]]:
    """Texts in lists of so many as are taken apart at a time."""
    rest = iter(texts)
    while batch := list(islice(rest, BATCH)):
        yield batch


def distinct(texts: Tokens, found: Words) -> Words:
    """The different shingles of each text of a batch, in order: above :data:`PLACE` the text's number."""
    text = np.repeat(np.arange(len(texts.starts) - 1, dtype=np.uint64) << PLACE, 2 * np.diff(texts.starts))
    ordered = np.sort(text | (found >> (np.uint64(64) - PLACE)))
    return np.asarray(ordered[np.append(True, ordered[1:] != ordered[:-1])[: len(ordered)]])


def traits(texts: Tokens, different: Words) -> Traits:
    """The traits of a batch of texts, from their tokens and different shingles."""
    count = len(texts.starts) - 1
    owner = (different >> PLACE).astype(np.int64)
    odd = np.bincount(owner * BITS + (different & np.uint64(BITS - 1)).astype(np.int64), minlength=count * BITS) & 1
    sketches = np.packbits(odd.astype(np.bool_).reshape(count, BITS), axis=1).view(np.uint64)
    number = (texts.flat & NUMBER) > 0
    begin = texts.starts[:-1]
    digests = np.add.reduceat(mixed(texts.flat & BARE) * number, begin) >> np.uint64(32)
    return Traits(
        np.bincount(owner, minlength=count).astype(np.int32),
        np.add.reduceat(number.astype(np.int32), begin),
        digests.astype(np.uint32),
        sketches,
    )
