"""Nearness: which rows of a split have texts near those of rows before them, and which of another side."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path

from tuneloop.data.kinship import TABLE, near_texts
from tuneloop.rows import Record


class Texts:
    """The near texts of rows, numbered, and the row that each belongs to.

    Args:
        records: The rows with their numbers.

    Attributes:
        owners: For each text given so far, the number of its row.
    """

    def __init__(self, records: Iterable[tuple[int, Record]]) -> None:
        self.owners = array("q")
        self._texts = self._of(records)
        self._first: list[str] = []

    def _of(self, records: Iterable[tuple[int, Record]]) -> Iterator[str]:
        for number, record in records:
            for text in () if TABLE in record.meta else near_texts(record.content):
                self.owners.append(number)
                yield text

    def __iter__(self) -> Iterator[str]:
        while self._first:
            yield self._first.pop()
        yield from self._texts

    def any(self) -> bool:
        """Whether there are any; the first is taken up and still given."""
        if not self._first:
            self._first.extend(islice(self._texts, 1))
        return bool(self._first)


def links(records: Iterable[tuple[int, Record]], similarity: float, folder: Path) -> dict[int, list[int]]:
    """Find for each row one near row before it of every cluster that it belongs to.

    Args:
        records: The rows with their numbers, those that are placed first in front.
        similarity: How alike two texts are wanted.
        folder: A folder with room for the texts.

    Returns:
        For each row that has any, the numbers of such rows.
    """
    from tuneloop.data.near.pairs import near_pairs
    from tuneloop.data.near.search import Search

    texts = Texts(records)
    found: dict[int, list[int]] = {}
    if not texts.any():
        return found
    for pair in near_pairs(texts, Search(similarity=similarity, spill=folder)):
        earlier, later = texts.owners[pair.earlier], texts.owners[pair.later]
        if earlier != later:
            found.setdefault(later, []).append(earlier)
    return found


def crossings(
    records: Iterable[tuple[int, Record]],
    held: Iterable[tuple[int, Record]],
    sides: Callable[[int], int],
    similarity: float,
    folder: Path,
) -> Iterator[tuple[int, int]]:
    """Find every row that is near a held-out row of another side; none is missed.

    Args:
        records: The rows asked about, with their numbers.
        held: The held-out rows, with their numbers.
        sides: Tells the side of a row by its number.
        similarity: How alike two texts are near.
        folder: A folder with room for the texts.

    Yields:
        The numbers of a row and of a held-out row that it is near to.
    """
    from tuneloop.data.crossing import Crossing
    from tuneloop.data.near.search import Search

    texts, others = Texts(records), Texts(held)
    search = Search(similarity=similarity, spill=folder)
    with Crossing(others, (sides(owner) for owner in others.owners), search) as crossing:
        for pair in crossing.met(texts, (sides(owner) for owner in texts.owners)):
            yield texts.owners[pair.later], others.owners[pair.earlier]
