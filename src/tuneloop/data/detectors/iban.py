"""International bank account numbers (ISO 13616): length of the country and check digits."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import ClassVar, final

from tuneloop.data.detectors import Detector, Span
from tuneloop.data.detectors._draw import Draw
from tuneloop.data.detectors._sums import mod97
from tuneloop.data.detectors._text import is_letter

_CHECK = re.compile(r"\d\d(?<=[A-Za-z]{2}\d\d)(?=(?:[ -]?[0-9A-Za-z]){11})")
_SIGNS = re.compile(r"[ -]?[0-9A-Za-z]")
_LENGTHS = {
    country: length
    for length, countries in {
        15: "NO",
        16: "BE",
        18: "DK FI FK FO GL NL",
        19: "MK SI",
        20: "AT BA EE KZ LT LU MN XK",
        21: "CH HR LI LV",
        22: "BG BH CR DE GB GE IE ME RS",
        23: "AE GI IL IQ OM SO TL",
        24: "AD CZ ES MD PK RO SA SE SK TN VG",
        25: "LY PT ST",
        26: "IS TR",
        27: "BI DJ FR GR IT MC MR SM",
        28: "AL AZ BY CY DO GT HU LB NI PL SV",
        29: "BR EG PS QA UA",
        30: "JO KW MU YE",
        31: "MT SC",
        32: "LC",
        33: "RU",
    }.items()
    for country in countries.split()
}


@final
class Iban(Detector):
    """Bank account numbers with the length of their country and right check digits, in groups or not."""

    digits: ClassVar[int] = 2
    stand_in: ClassVar[str] = r"(?<![0-9A-Za-z])XX\d{20}(?!\d)"

    def find(self, text: str) -> Iterable[Span]:
        """Take as many signs as the country's numbers have, and try the sum.

        Example:
            >>> text = "IBAN: GB82 WEST 1234 5698 7654 32, thanks"
            >>> [text[span.start : span.end] for span in Iban().find(text)]
            ['GB82 WEST 1234 5698 7654 32']
        """
        for found in _CHECK.finditer(text):
            start = found.start() - 2
            if start and is_letter(text[start - 1]):
                continue
            end = _end(text, start)
            if end and not is_letter(text[end : end + 1]) and mod97(self.same(text[start:end])):
                yield self.span(start, end, 0.98)

    def same(self, value: str) -> str:
        """Letters and digits alone, in capitals."""
        return re.sub(r"[^0-9A-Za-z]", "", value).upper()

    def pseudonym(self, draw: Draw) -> str:
        """A number of the country XX, which is none."""
        return f"XX{draw.digits(20)}"


def _end(text: str, start: int) -> int:
    """Where a number of the country's length ends; 0 where the country has none or the text stops before."""
    end = start + 4
    length = _LENGTHS.get(text[start : start + 2].upper(), 0)
    for _ in range(length - 4):
        sign = _SIGNS.match(text, end)
        if sign is None:
            return 0
        end = sign.end()
    return end if length else 0
