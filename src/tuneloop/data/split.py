"""The split: on which side a row stands follows from what it asks and from the seed, and from nothing else.

Hence a row never moves when others are added or taken away, and rows that ask the same never stand on two sides.
"""

from __future__ import annotations

import hashlib
from typing import Literal, TypeAlias

import msgspec

from tuneloop.data.section import Split
from tuneloop.rows import Content
from tuneloop.rows.record import asked

Side: TypeAlias = Literal["train", "validation", "test"]
SIDES: tuple[Side, ...] = ("train", "validation", "test")

_canonical = msgspec.json.Encoder(order="deterministic")


def side(content: Content, split: Split, seed: int) -> Side:
    """Find the side of a row.

    The digest of what the row asks, keyed with the seed, is a number that is even over [0, 1). The test rows are
    the lowest share of it and the validation rows the highest, so that changing one share moves no row between
    the other and training.

    Args:
        content: The row's content.
        split: The shares.
        seed: The recipe's seed; another one draws other rows.

    Returns:
        The side.

    Example:
        >>> from tuneloop.rows import Text
        >>> side(Text("to be"), Split(validation=0.0, test=0.0), 42)
        'train'
    """
    key = seed.to_bytes(16, "big", signed=True)
    digest = hashlib.blake2b(_canonical.encode(asked(content)), digest_size=8, key=key).digest()
    place = int.from_bytes(digest, "big") / 2**64
    if place < split.test:
        return "test"
    return "validation" if place >= 1 - split.validation else "train"
