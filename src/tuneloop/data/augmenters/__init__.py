"""Augmenters: one more way to ask the same thing each; after the split, on training rows only, on the input side only.

A new one is one file with one method. What it must not do is checked after it: answers, labels, system prompts and
tools stay, and a row that it cannot vary goes on as it is.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from random import Random
from typing import Self

from pydantic import Field, PrivateAttr

from tuneloop.data.transforms import Place
from tuneloop.parts import Part
from tuneloop.rows import Record


class Augmenter(Part, ABC):
    """Makes of a row another one that asks the same in another way."""

    probability: float = Field(1.0, gt=0, le=1)
    """How likely it acts on a row; where it does not, the row goes on to the next augmenter as it is."""

    _place: Place = PrivateAttr(default_factory=Place)

    @abstractmethod
    def vary(self, record: Record, random: Random) -> Record:
        """Vary what is asked in a row.

        Args:
            record: A training row, or what the augmenter before this one made of it.
            random: Follows from the recipe's seed and the row alone.

        Returns:
            The row with other content (:meth:`Record.having`); the same row if there is nothing to vary.

        Raises:
            RecordError: It cannot be varied, and why: the row goes on as it is, and the reason is counted.
            DataError: No row can be.
        """

    @property
    def place(self) -> Place:
        """Where it works; set by :meth:`at`."""
        return self._place

    @property
    def together(self) -> int:
        """How many rows it may be given at the same time, from several threads."""
        return 1

    def at(self, place: Place) -> Self:
        """The same augmenter, ready for one run over the rows at a place."""
        ready = self.model_copy()
        ready._place = place
        return ready

    def reads(self) -> tuple[str, ...]:
        """Paths of the files, relative to the recipe, that decide with its options what becomes of the rows."""
        return ()

    def stamp(self) -> str:
        """A digest of what else decides that, a model of the store say; empty for nothing."""
        return ""
