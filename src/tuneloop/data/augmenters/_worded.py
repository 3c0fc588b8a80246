"""Augmenters that change words: what they share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from random import Random

from pydantic import Field

from tuneloop.data.augmenters import Augmenter
from tuneloop.data.varying.inputs import changed_inputs, tools
from tuneloop.data.varying.words import Piece, cut, join
from tuneloop.rows import Record


class Worded(Augmenter):
    """Changes a share of the words of every text that is asked."""

    share: float = Field(0.1, gt=0, le=1)
    """Share of a text's words that it acts on, rounded down, but one at least."""

    def vary(self, record: Record, random: Random) -> Record:
        """Change words of the texts that are asked; what is protected stays."""
        keep = tools(record.content)

        def change(text: str) -> str:
            pieces = cut(text, keep, self.chinese_words)
            count = max(1, int(self.share * sum(piece.word for piece in pieces)))
            return join(self.reword(pieces, count, random))

        return record.having(changed_inputs(record.content, change))

    @property
    def chinese_words(self) -> frozenset[str]:
        """Chinese words that a text is cut into, besides those of the table."""
        return frozenset()

    @abstractmethod
    def reword(self, pieces: Sequence[Piece], count: int, random: Random) -> list[Piece]:
        """Change so many words of a text.

        Args:
            pieces: The text; only pieces that are free may change, move or go.
            count: How many words are to be acted on.
            random: Where chance comes from.
        """


def begins(pieces: Sequence[Piece], at: int) -> bool:
    """Whether a word is the first of its sentence."""
    return all(piece.sentence != pieces[at].sentence or not piece.word for piece in pieces[:at])


def cased(word: str, like: str) -> str:
    """A word with a capital where another one has one.

    Example:
        >>> cased("auto", like="Car"), cased("Car", like="my")
        ('Auto', 'car')
    """
    return word[:1].upper() + word[1:] if like[:1].isupper() else word[:1].lower() + word[1:]
