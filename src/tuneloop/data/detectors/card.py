"""Payment card numbers (ISO/IEC 7812): issuer, length and check digit together."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import ClassVar, final

from tuneloop.data.detectors import Detector, Span
from tuneloop.data.detectors._draw import Draw
from tuneloop.data.detectors._sums import luhn
from tuneloop.data.detectors._text import alone
from tuneloop.data.detectors._words import said

_NUMBERS = (
    re.compile(r"(?<!\d)(?=(\d{12,19})(?!\d))"),
    re.compile(
        r"(?<!\d)(?=(\d{4}([ -])(?:\d{4}\2\d{4}\2\d{1,4}(?:\2\d{3})?|\d{6}\2\d{4,5})"
        r"|\d{6}[ -]\d{6,13}|\d{8}[ -]\d{8})(?!\d))"
    ),
)
_ISSUERS = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})"
    r"|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}"
    r"|3[47]\d{13}|3(?:0[0-5]|095|[689]\d)\d{11}(?:\d{2})?|35\d{14,17}|(?:2131|1800)\d{11}"
    r"|6(?:011|5\d\d|4[4-9]\d)\d{12,15}|62\d{14,17}|81[0-7]\d{13,16}"
    r"|220[0-4]\d{12,15}|(?:50|5[6-9]|6[0-9])\d{14}|(?:50|5[6-9]|6[0-9])\d{17}"
    r"|9(?:792|860)\d{12}|8600\d{12}"
)
_MAESTRO = re.compile(r"(?:50|5[6-9]|6[0-9])\d{10,17}")


@final
class Card(Detector):
    """Bank and credit card numbers of the issuers' ranges whose check digit (Luhn) is right."""

    digits: ClassVar[int] = 12
    stand_in: ClassVar[str] = r"9999 9999 \d{4} \d{4}"

    def find(self, text: str) -> Iterable[Span]:
        """Look for whole numbers only: a card inside a longer number is none.

        Example:
            >>> text = "卡号6200 0000 0000 0005，订单4111111111111112"
            >>> [text[span.start : span.end] for span in Card().find(text)]
            ['6200 0000 0000 0005']
        """
        for found in (each for form in _NUMBERS for each in form.finditer(text)):
            start, end = found.span(1)
            number = self.same(found[1])
            if not alone(text, start, end) or not luhn(number):
                continue
            word = said(text, start)
            issued = _ISSUERS.fullmatch(number) or (word == "card" and _MAESTRO.fullmatch(number))
            if issued and word != "other":
                yield self.span(start, end, 0.95 if word == "card" else 0.9)

    def same(self, value: str) -> str:
        """The digits alone."""
        return re.sub(r"\D", "", value)

    def pseudonym(self, draw: Draw) -> str:
        """Sixteen digits of the range 9999 9999, which is no issuer's."""
        return f"9999 9999 {draw.digits(4)} {draw.digits(4)}"
