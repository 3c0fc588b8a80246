"""Overlap: which texts repeat so many words in a row of others, as GPT-3's makers looked for benchmarks in their data.

A run has 13 words (Brown et al. 2020, appendix C). Where a script has no spaces a character counts as 13/20 of a word,
so that 20 characters are a run: a Chinese text has 1.5 times as many characters as its English translation words
(measured on 9,000 parallel rows). A shorter text counts whole, if it has at least 8 words, as there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tuneloop.data.near.tokens import PARTS, UNSPACED, Tokens, Words, mixed, spelled, tokens

WORDS = 13
"""Words of a run."""
LEAST = 8
"""Words that a text must have to count whole."""
COMMON = 10
"""A run that more of the others have is a form of words, not their content."""
BATCH = 1024
_WORD, _CHARACTER = 20, 13
_BASE = 0x9E3779B97F4A7C15
_SIEVE = 24


class Overlap(NamedTuple):
    """A text that repeats a run of another.

    Attributes:
        earlier: Number of the other, the first that has the run.
        later: Number of the text.
        words: The run, spelled as compared.
    """

    earlier: int
    later: int
    words: str


class _Runs(NamedTuple):
    """Runs of tokens: their digests, and where each begins and ends among the tokens."""

    digest: Words
    begin: NDArray[np.int64]
    end: NDArray[np.int64]


class Repeats:
    """Knows the runs of some texts, and finds them in others. 30 bytes of memory for each word of the texts known.

    Args:
        others: The texts known; one that has several parts has no run over their borders.
        words: Words of a run, at least :data:`LEAST`.

    Attributes:
        common: So many runs are left out because more than :data:`COMMON` of the texts have them.
    """

    def __init__(self, others: Iterable[str], words: int = WORDS) -> None:
        self._words = words
        digests, owners, self._short, count = [], [], set[int](), 0
        for batch in _batched(others):
            taken = tokens(batch)
            runs = [_runs(taken, words), *self._whole(taken)]
            for found in runs:
                digests.append(found.digest)
                owners.append(np.searchsorted(taken.starts, found.begin, side="right") - 1 + count)
            count += len(batch)
        digest = np.concatenate([*digests, np.zeros(0, np.uint64)])
        owner = np.concatenate([*owners, np.zeros(0, np.int64)])
        pairs = np.unique(np.stack([digest, owner.astype(np.uint64)]), axis=1)
        self._digest, first, times = np.unique(pairs[0], return_index=True, return_counts=True)
        self._owner = pairs[1][first].astype(np.int64)
        self.common = int((times > COMMON).sum())
        self._digest, self._owner = self._digest[times <= COMMON], self._owner[times <= COMMON]
        self._sieve = np.zeros(1 << _SIEVE, np.bool_)
        self._sieve[self._digest >> np.uint64(64 - _SIEVE)] = True

    def find(self, texts: Iterable[str]) -> Iterator[Overlap]:
        """Find the texts that repeat a run, in order, each with the first that it repeats."""
        count = 0
        for batch in _batched(texts):
            taken = tokens(batch)
            met: dict[int, tuple[int, int, int]] = {}
            for runs in (_runs(taken, self._words), *(_exactly(taken, size) for size in sorted(self._short))):
                for place, owner in self._known(runs.digest):
                    begin = int(runs.begin[place])
                    text = int(np.searchsorted(taken.starts, begin, side="right")) - 1
                    start = int(taken.starts[text])
                    met.setdefault(text, (owner, begin - start, int(runs.end[place]) - start))
            for text, (owner, begin, end) in sorted(met.items()):
                yield Overlap(owner, count + text, spelled(batch[text], begin, end))
            count += len(batch)

    def _known(self, digests: Words) -> Iterator[tuple[int, int]]:
        """The places of known runs among the digests, with the text each is known from."""
        if not len(self._digest):
            return
        places = np.flatnonzero(self._sieve[digests >> np.uint64(64 - _SIEVE)])
        at = np.minimum(np.searchsorted(self._digest, digests[places]), len(self._digest) - 1)
        known = self._digest[at] == digests[places]
        yield from zip(places[known].tolist(), self._owner[at[known]].tolist(), strict=True)

    def _whole(self, taken: Tokens) -> list[_Runs]:
        """The parts of texts that are too short for a run, and long enough to count whole; their sizes are noted."""
        begin, end = _parts(taken)
        weight = np.concatenate([[0], np.cumsum(_weights(taken.flat))])
        size = weight[end] - weight[begin]
        short = (size >= LEAST * _WORD) & (size < self._words * _WORD)
        self._short |= set((end - begin)[short].tolist())
        return [_Runs(_digests(taken.flat, begin[short], end[short]), begin[short], end[short])]


def _batched(texts: Iterable[str]) -> Iterator[Sequence[str]]:
    rest = iter(texts)
    while batch := list(islice(rest, BATCH)):
        yield batch


def _weights(flat: Words) -> NDArray[np.int64]:
    return np.where((flat & UNSPACED) > 0, _CHARACTER, _WORD).astype(np.int64)


def _parts(taken: Tokens) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where each part of each text begins and ends."""
    part = taken.flat & np.uint64(PARTS - 1)
    new = np.append(True, part[1:] != part[:-1])
    new[taken.starts[:-1]] = True
    begin = np.flatnonzero(new)
    return begin, np.append(begin[1:], len(part))


def _runs(taken: Tokens, words: int) -> _Runs:
    """At each token the shortest run that has so many words, where its part goes on for so long."""
    begin, end = _parts(taken)
    weight = np.concatenate([[0], np.cumsum(_weights(taken.flat))])
    at = np.arange(len(taken.flat))
    to = np.searchsorted(weight, weight[:-1] + words * _WORD)
    fits = to <= np.repeat(end, end - begin)
    return _Runs(_digests(taken.flat, at[fits], to[fits]), at[fits], to[fits])


def _exactly(taken: Tokens, size: int) -> _Runs:
    """All runs of a number of tokens."""
    begin, end = _parts(taken)
    at = np.arange(len(taken.flat))
    at = at[at + size <= np.repeat(end, end - begin)]
    return _Runs(_digests(taken.flat, at, at + size), at, at + size)


def _digests(flat: Words, begin: NDArray[np.int64], end: NDArray[np.int64]) -> Words:
    """Digest runs of tokens by differences of sums of powers (Karp and Rabin 1987), modulo 2^64."""
    power = np.cumprod(np.append(np.uint64(1), np.full(len(flat), _BASE, np.uint64)))
    back = np.cumprod(np.append(np.uint64(1), np.full(len(flat), pow(_BASE, -1, 1 << 64), np.uint64)))
    said = mixed(flat & ~np.uint64(63))
    total = np.append(np.uint64(0), np.cumsum(said * power[:-1]))
    return mixed((total[end] - total[begin]) * back[begin] + (end - begin).astype(np.uint64))
