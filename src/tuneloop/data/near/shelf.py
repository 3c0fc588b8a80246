"""A shelf: the tokens of many texts on disk, taken up in pairs and compared exactly."""

from __future__ import annotations

import os
import shutil
import tempfile
from array import array
from collections import Counter, OrderedDict
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tuneloop.data.near.tokens import BARE, NAME, NEGATION, NUMBER, PARTS, Tokens, Words, shingles

Protected: TypeAlias = Literal["numbers", "names", "subjects", "negations"]

HELD = 4096
"""Texts kept in memory, those last compared."""
BRIEF = 60
"""So many tokens in its first part, and a text with another count of negations says something else."""


@dataclass(frozen=True)
class Taken:
    """A text ready to be compared.

    Attributes:
        shingles: Its shingles, each once, sorted.
        sizes: How many of them each part has (``PARTS``).
        words: Its tokens, each once.
        asked: Those of its first part.
        answered: Those of the parts after it.
        numbers: Those that are numbers.
        names: Those that are names.
        negations: How many negations its first part has; None where that part is long.
    """

    shingles: Words
    sizes: NDArray[np.int64]
    words: frozenset[int]
    asked: frozenset[int]
    answered: frozenset[int]
    numbers: Counter[int]
    names: frozenset[int]
    negations: int | None


class Shelf:
    """Tokens of texts in an unnamed file, 8 bytes of memory a text. Use it with ``with``.

    Args:
        folder: A folder with room for the tokens; None takes the system's folder for temporary files.
    """

    def __init__(self, folder: Path | None) -> None:
        self._file: IO[bytes] = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115
        self._starts = array("Q", [0])
        self._held: OrderedDict[int, Taken] = OrderedDict()

    def __enter__(self) -> Shelf:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def __len__(self) -> int:
        return len(self._starts) - 1

    @classmethod
    def of(cls, path: Path, starts: NDArray[np.uint64]) -> Shelf:
        """The shelf whose tokens :meth:`copy` wrote; nothing can be added to it.

        Args:
            path: The file.
            starts: Where each text begins, and the end of the last.
        """
        shelf = cls.__new__(cls)
        shelf._file = path.open("rb", buffering=0)
        shelf._starts = array("Q", starts.tobytes())
        shelf._held = OrderedDict()
        return shelf

    def copy(self, path: Path) -> None:
        """Write all tokens into a file."""
        self._file.seek(0)
        with path.open("wb") as file:
            shutil.copyfileobj(self._file, file)

    def starts(self) -> NDArray[np.uint64]:
        """Where each text begins among the tokens, and the end of the last."""
        return np.array(self._starts, np.uint64)

    def add(self, texts: Tokens) -> None:
        """Put a batch of texts behind the others."""
        last = self._starts[-1]
        self._file.write(texts.flat.tobytes())
        self._starts.extend((texts.starts[1:] + last).tolist())

    def tokens(self, index: int) -> Words:
        """The tokens of one text."""
        return self._read(self._starts[index], self._starts[index + 1])

    def batch(self, start: int, end: int) -> Tokens:
        """The tokens of some texts in a row."""
        starts = np.array(self._starts[start : end + 1], np.int64)
        return Tokens(self._read(int(starts[0]), int(starts[-1])), starts - starts[0])

    def _read(self, start: int, end: int) -> Words:
        return np.frombuffer(os.pread(self._file.fileno(), 8 * (end - start), 8 * start), np.uint64)

    def similarity(self, one: int, other: int, least: float, protect: Collection[Protected]) -> float:
        """How alike two of the texts are (:func:`similarity`)."""
        return similarity(self.take(one), self.take(other), least, protect)

    def take(self, index: int) -> Taken:
        """A text ready to be compared; those last used are held."""
        found = self._held.get(index)
        if found is None:
            found = taken(self.tokens(index))
            if len(self._held) >= HELD:
                self._held.popitem(last=False)
            self._held[index] = found
        else:
            self._held.move_to_end(index)
        return found


def similarity(a: Taken, b: Taken, least: float, protect: Collection[Protected]) -> float:
    """How alike two texts are, exactly; 0 where that is less than wanted or something protected differs.

    Args:
        a: A text.
        b: Another.
        least: The similarity wanted; of each part half of it is wanted.
        protect: What must not differ.

    Returns:
        The share of shingles that both have, ``2 |A ∩ B| / (|A| + |B|)`` (Dice 1945).
    """
    total = len(a.shingles) + len(b.shingles)
    if 2 * min(len(a.shingles), len(b.shingles)) < least * total or differ(a, b, protect):
        return 0.0
    common = np.intersect1d(a.shingles, b.shingles, assume_unique=True)
    alike = 2 * len(common) / total
    if alike < least:
        return 0.0
    shared = np.bincount((common & np.uint64(PARTS - 1)).astype(np.int64), minlength=PARTS)
    return alike if (4 * shared >= least * (a.sizes + b.sizes)).all() else 0.0


def taken(flat: Words) -> Taken:
    """Take the tokens of a text up to compare it."""
    found = np.unique(shingles(flat, np.array([0, len(flat)])))
    sizes = np.bincount((found & np.uint64(PARTS - 1)).astype(np.int64), minlength=PARTS)
    bare = flat & BARE
    is_first = (flat & np.uint64(PARTS - 1)) == 0
    first = flat[is_first]
    return Taken(
        shingles=found,
        sizes=sizes,
        words=frozenset(bare.tolist()),
        asked=frozenset(bare[is_first].tolist()),
        answered=frozenset(bare[~is_first].tolist()),
        numbers=Counter(bare[(flat & NUMBER) > 0].tolist()),
        names=frozenset(bare[(flat & NAME) > 0].tolist()),
        negations=int(((first & NEGATION) > 0).sum()) if len(first) <= BRIEF else None,
    )


def differ(a: Taken, b: Taken, protect: Collection[Protected]) -> bool:
    """Whether something protected stands in one text where something else of its kind stands in the other."""
    if "numbers" in protect and a.numbers - b.numbers and b.numbers - a.numbers:
        return True
    if "names" in protect and a.names - b.words and b.names - a.words:
        return True
    if "subjects" in protect and _speaks_of(a, b) and _speaks_of(b, a):
        return True
    counted = a.negations is not None and b.negations is not None
    return "negations" in protect and counted and a.negations != b.negations


def _speaks_of(a: Taken, b: Taken) -> bool:
    """Whether all that is asked in the one only is taken up by its answer."""
    own = a.asked - b.words
    return bool(own) and own <= a.answered
