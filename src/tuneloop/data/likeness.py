"""Likeness: how much the words of two sets of rows have in common."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from tuneloop.data.near.rows import compared
from tuneloop.data.near.tokens import BARE, tokens
from tuneloop.rows import Record

ROWS = 2000
"""Rows of each set that are looked at, the first ones."""


def likeness(ones: Iterable[Record], others: Iterable[Record]) -> float:
    """One minus the Jensen-Shannon divergence of the words of two sets of rows: 0 (none in common) to 1 (equal).

    Words of the same text in other spellings are the same; where a script has no spaces, characters are words.

    Args:
        ones: Rows; of a large set the first 2,000 count.
        others: The rows that they are compared with, likewise.

    Returns:
        0 where one of the sets has no word.

    Formula:
        ``1 - (H((p + q) / 2) - (H(p) + H(q)) / 2)`` with the entropy ``H`` in bits (Lin, Divergence Measures Based on
        the Shannon Entropy, 1991, section IV).
    """
    (words, counts), (more, others_counts) = _counted(ones), _counted(others)
    if not len(words) or not len(more):
        return 0.0
    every = np.union1d(words, more)
    p, q = (_shares(every, *each) for each in ((words, counts), (more, others_counts)))
    return float(1 - (_entropy((p + q) / 2) - (_entropy(p) + _entropy(q)) / 2))


def _counted(records: Iterable[Record]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    texts = [compared(record.content) for record in islice(records, ROWS)]
    found = tokens(texts).flat & BARE if texts else np.zeros(0, np.uint64)
    words, counts = np.unique(found, return_counts=True)
    return words, counts


def _shares(every: NDArray[np.uint64], words: NDArray[np.uint64], counts: NDArray[np.int64]) -> NDArray[np.float64]:
    shares = np.zeros(len(every))
    shares[np.searchsorted(every, words)] = counts / counts.sum()
    return shares


def _entropy(shares: NDArray[np.float64]) -> float:
    some = shares[shares > 0]
    return float(-(some * np.log2(some)).sum())
