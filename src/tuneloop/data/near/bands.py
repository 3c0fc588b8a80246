"""Bands: keys made from MinHash signatures, so that two texts share one the more surely the more alike they are.

A MinHash agrees for two sets with the probability of their Jaccard similarity J (Broder 1997). A key joins r of them,
and each text has b keys, so that two texts share a key with the probability 1 - (1 - J^r)^b (Leskovec, Rajaraman,
Ullman: Mining of Massive Datasets, section 3.4).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tuneloop.data.near.tokens import SAID, Tokens, Words, mixed

RECALL = 0.98
"""Least probability to compare two texts that are exactly as alike as wanted; more alike ones are surer."""
HASHES = 160
"""Most hashes of a signature."""


class Shape(NamedTuple):
    """How many keys a text has, and of how many hashes each is made."""

    bands: int
    rows: int


class Keys(NamedTuple):
    """What is held of a batch of texts.

    Attributes:
        bands: Keys (``texts, bands``).
        whole: A digest of all tokens of each text in order (``texts``).
    """

    bands: NDArray[np.uint32]
    whole: Words


def shape(jaccard: float) -> Shape:
    """The longest keys, hence the fewest needless comparisons, that still find what is wanted.

    Example:
        >>> shape(2 / 3)
        Shape(bands=28, rows=5)
    """
    for rows in range(32, 1, -1):
        bands = int(np.ceil(np.log(1 - RECALL) / np.log1p(-(jaccard**rows)))) if jaccard < 1 else 1
        if bands * rows <= HASHES:
            return Shape(bands, rows)
    return Shape(int(np.ceil(np.log(1 - RECALL) / np.log1p(-jaccard))), 1)


def found(jaccard: float, shape: Shape) -> float:
    """The probability that two texts of a similarity share a key.

    Example:
        >>> round(found(0.75, Shape(28, 5)), 3)
        0.999
    """
    return float(1 - (1 - jaccard**shape.rows) ** shape.bands)


def keys(texts: Tokens, found: Words, shape: Shape, seed: int) -> Keys:
    """Make the keys of a batch of texts. A pure function: processes may share the work.

    Args:
        texts: Their tokens.
        found: Their shingles.
        shape: How many keys, of how many hashes.
        seed: Another seed, other hash functions.
    """
    begin = texts.starts[:-1]
    short = (found >> np.uint64(32)).astype(np.uint32)
    rng = np.random.default_rng(seed)
    factors = rng.integers(0, 1 << 32, (shape.bands, shape.rows), np.uint32) | np.uint32(1)
    turns = rng.integers(0, 1 << 32, (shape.bands, shape.rows), np.uint32)
    bands = np.empty((len(begin), shape.bands), np.uint32)
    hashed = np.empty_like(short)
    for band in range(shape.bands):
        key = np.zeros(len(begin), np.uint64)
        for row in range(shape.rows):
            np.multiply(short, factors[band, row], out=hashed)
            np.bitwise_xor(hashed, turns[band, row], out=hashed)
            key = mixed(key + np.minimum.reduceat(hashed, 2 * begin))
        bands[:, band] = (key >> np.uint64(32)).astype(np.uint32)
    return Keys(bands, _digests(texts))


def _digests(texts: Tokens) -> Words:
    begin, length = texts.starts[:-1], np.diff(texts.starts)
    place = np.arange(len(texts.flat)) - np.repeat(begin, length)
    # The marks are no part of what is said: a text in small letters has no names.
    said = (texts.flat & SAID) + (place.astype(np.uint64) << np.uint64(40))
    return np.asarray(np.add.reduceat(mixed(said), begin))
