"""Detectors: one kind of personal datum or secret each. A new one is one file with one method.

A detector says where in a text its kind stands, precise to the character. What is done with it (masked, replaced,
the row set aside) is the business of the transforms ``redact`` and ``secrets``; where detectors of several kinds see
something at the same place, :class:`tuneloop.data.privacy.finder.Finder` decides.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import ClassVar, NamedTuple

from tuneloop.data.detectors._draw import Draw
from tuneloop.parts import Part


class Span(NamedTuple):
    """A place in a text at which a datum stands.

    Attributes:
        start: Index of its first character.
        end: Index after its last character.
        kind: What it is: the detector's name.
        certainty: How sure that is, from 0 to 1: a check digit fits (0.95 and more), the form alone speaks for it
            (around 0.8), only the words beside it do (around 0.6).
    """

    start: int
    end: int
    kind: str
    certainty: float


class Detector(Part, ABC):
    """Finds one kind of personal datum or secret in texts of any language."""

    used_by: ClassVar[tuple[str, ...]] = ("redact",)
    """The transforms that look for this kind unless told otherwise."""
    cues: ClassVar[tuple[str, ...]] = ()
    """Pieces of text; where none of them occurs, :meth:`find` is not asked. None at all: no such condition."""
    digits: ClassVar[int] = 0
    """Digits that must stand close together somewhere in the text; with fewer, :meth:`find` is not asked."""
    unbroken: ClassVar[int] = 0
    """Letters, digits, hyphens and underscores of ASCII that must stand in a row; with fewer, the same."""
    stand_in: ClassVar[str] = ""
    """A pattern of its pseudonyms, where they have another form than ``[KIND:letters]``; they are never found again."""

    @abstractmethod
    def find(self, text: str) -> Iterable[Span]:
        """Find every datum of this kind.

        Args:
            text: A text in which full-width letters, digits, dashes and blanks are written as in ASCII.

        Returns:
            Where they stand, in any order; of overlapping ones the surest and then the longest is taken.
        """

    def same(self, value: str) -> str:
        """One spelling for all spellings of the same datum: equal ones get the same pseudonym."""
        return "".join(value.split()).casefold()

    def pseudonym(self, draw: Draw) -> str:
        """What stands for a value that was found.

        Args:
            draw: Made of the secret key and of :meth:`same` of the value, which it holds.

        Returns:
            Something that no detector takes for a datum again; by default ``[KIND:letters]``.
        """
        return f"[{self.name.upper()}:{draw.letters(8)}]"

    def span(self, start: int, end: int, certainty: float) -> Span:
        """A span of this detector's kind."""
        return Span(start, end, self.name, certainty)
