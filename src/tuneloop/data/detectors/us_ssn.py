"""Social security numbers of the United States."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import ClassVar, final

from tuneloop.data.detectors import Detector, Span
from tuneloop.data.detectors._draw import Draw
from tuneloop.data.detectors._text import alone
from tuneloop.data.detectors._words import said

_FORM = re.compile(r"(?!000|666|9)\d{3}([ -]?)(?!00)\d{2}\1(?!0000)\d{4}")


@final
class UsSsn(Detector):
    """Nine digits as they are given out: never 000, 666 or 9xx first, no group of zeros (SSA, since 2011)."""

    digits: ClassVar[int] = 9
    stand_in: ClassVar[str] = r"(?<!\d)000-\d\d-\d{4}"

    def find(self, text: str) -> Iterable[Span]:
        """Look for the form with hyphens, and for any other where the words before it say so.

        Example:
            >>> text = "SSN 536 22 1234, order 536221234, 536-22-1234"
            >>> [text[span.start : span.end] for span in UsSsn().find(text)]
            ['536 22 1234', '536-22-1234']
        """
        for found in _FORM.finditer(text):
            if alone(text, *found.span()):
                word = said(text, found.start())
                if word == "social" or (found[1] == "-" and word != "other"):
                    yield self.span(*found.span(), 0.92 if word == "social" else 0.86)

    def same(self, value: str) -> str:
        """The digits alone."""
        return re.sub(r"\D", "", value)

    def pseudonym(self, draw: Draw) -> str:
        """A number of the area 000, which is never given out."""
        return f"000-{draw.digits(2)}-{draw.digits(4)}"
