"""Nearness: which rows of a split have texts near those of rows before them, and which of another side."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING

from tuneloop.data.kinship import TABLE, near_texts
from tuneloop.rows import Labeled, Record, Text

if TYPE_CHECKING:
    from tuneloop.data.near.search import Search


class Texts:
    """The near texts of rows, numbered, and the row that each belongs to.

    Args:
        records: The rows with their numbers.
        asked: Tells by its number whether what a row asks was asked by a row before it, so that it need not be given
            again.
        whole: Whether question and answer together are given, too.

    Attributes:
        owners: For each text given so far, the number of its row.
        asks: For each text given so far, whether it is what its row asks.
    """

    def __init__(
        self,
        records: Iterable[tuple[int, Record]],
        asked: Callable[[int], bool] = lambda _: False,
        *,
        whole: bool = True,
    ) -> None:
        self.owners = array("q")
        self.asks = bytearray()
        self._asked, self._whole = asked, whole
        self._texts = self._of(records)
        self._first: list[str] = []

    def _of(self, records: Iterable[tuple[int, Record]]) -> Iterator[str]:
        for number, record in records:
            given = () if TABLE in record.meta else near_texts(record.content)
            asking = len(given) > 1 or isinstance(record.content, Text | Labeled)
            for place, text in enumerate(given):
                asks = asking and place == 0
                if not (asks and self._asked(number)) and (place == 0 or self._whole):
                    self.owners.append(number)
                    self.asks.append(asks)
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


def links(texts: Texts, search: Search) -> dict[int, list[int]]:
    """Find for each row one near row before it of every cluster that it belongs to.

    Args:
        texts: The texts of the rows, those that are placed first in front.
        search: What is looked for.

    Returns:
        For each row that has any, the numbers of such rows.
    """
    from tuneloop.data.near.pairs import near_pairs

    found: dict[int, list[int]] = {}
    for pair in near_pairs(texts, search):
        earlier, later = texts.owners[pair.earlier], texts.owners[pair.later]
        if earlier != later:
            found.setdefault(later, []).append(earlier)
    return found


def crossings(
    texts: Texts, others: Texts, sides: Callable[[int], int], search: Search
) -> Iterator[tuple[tuple[int, bool], tuple[int, bool]]]:
    """Find every row that is near a held-out row of another side; none is missed.

    Args:
        texts: The texts of the rows asked about.
        others: Those of the held-out rows.
        sides: Tells the side of a row by its number.
        search: What is looked for.

    Yields:
        A row and a held-out row that it is near to: the number of each, and whether it is near in what it asks.
    """
    from tuneloop.data.crossing import Crossing

    with Crossing(others, (sides(owner) for owner in others.owners), search) as crossing:
        for pair in crossing.met(texts, (sides(owner) for owner in texts.owners)):
            yield (
                (texts.owners[pair.later], bool(texts.asks[pair.later])),
                (others.owners[pair.earlier], bool(others.asks[pair.earlier])),
            )
