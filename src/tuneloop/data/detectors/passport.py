"""Numbers of passports and travel permits."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import ClassVar, final

from tuneloop.data.detectors import Detector, Span
from tuneloop.data.detectors._text import alone
from tuneloop.data.detectors._words import said

_FORM = re.compile(
    r"[A-Za-z]{0,2}\d{6,9}[A-Z]?|[A-Z]\d[A-Z]\d{6}|\d\d[A-Z]{2}\d{5}|[A-Z](?=(?:[A-Z]*\d){4})[A-Z0-9]{8}"
)
_CHINESE = re.compile(r"[EG]\d{8}|E[A-HJ-NP-Z]\d{7}|[DSP]E?\d{7,8}")
_SAID = 30


@final
class Passport(Detector):
    """Chinese passports by their form; those of other countries, and permits, after the word."""

    digits: ClassVar[int] = 2

    def find(self, text: str) -> Iterable[Span]:
        """Look for Chinese numbers (E, G, D, S or P first) and for what stands behind "passport" or 护照.

        Example:
            >>> text = "护照号码E12345678；passport no. 123456789; part 123456789"
            >>> [text[span.start : span.end] for span in Passport().find(text)]
            ['E12345678', '123456789']
        """
        for found in _FORM.finditer(text):
            if not alone(text, *found.span()):
                continue
            word = said(text, found.start(), _SAID)
            if word == "passport":
                yield self.span(*found.span(), 0.9)
            elif word not in ("other", "account", "card") and _CHINESE.fullmatch(found[0]):
                yield self.span(*found.span(), 0.7)
