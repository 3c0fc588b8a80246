"""Resident identity numbers: mainland China (GB 11643), the old 15-digit form, Hong Kong, Macau and Taiwan."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import ClassVar, final

from tuneloop.data.detectors import Detector, Span
from tuneloop.data.detectors._draw import Draw
from tuneloop.data.detectors._sums import is_date, resident_check
from tuneloop.data.detectors._text import alone
from tuneloop.data.detectors._words import said

_PROVINCE = "(?:1[1-5]|2[1-3]|3[1-7]|4[1-6]|5[0-4]|6[1-5]|71|8[1-3])"
_NEW = re.compile(
    rf"{_PROVINCE}\d{{4}}([ -]?)(?:18|19|20)\d\d\1?(?:0[1-9]|1[0-2])\1?(?:0[1-9]|[12]\d|3[01])\1?\d{{3}}[ -]?[\dXx]"
)
_OLD = re.compile(rf"{_PROVINCE}\d{{4}}\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{{3}}")
_HONG_KONG = re.compile(r"([A-Z]{1,2})(\d{6}) ?(?:\(([0-9A])\)|([0-9A]))")
_TAIWAN = re.compile(r"([A-Z])([1289]\d{7})(\d)")
_MACAU = re.compile(r"[157]\d{6} ?\(\d\)|[157]/\d{6}/\d")
_TAIWAN_AREAS = "ABCDEFGHJKLMNPQRSTUVXYWZIO"


@final
class ResidentId(Detector):
    """Identity numbers of China, Hong Kong, Macau and Taiwan, proved by area, date of birth and check digit."""

    digits: ClassVar[int] = 6
    stand_in: ClassVar[str] = r"(?<!\d)99\d{15}[\dX](?!\d)"

    def find(self, text: str) -> Iterable[Span]:
        """Look for the forms of all four.

        Example:
            >>> text = "身份证11010519491231002X，已核验"
            >>> [text[span.start : span.end] for span in ResidentId().find(text)]
            ['11010519491231002X']
        """
        yield from self._mainland(text)
        yield from self._hong_kong(text)
        yield from self._taiwan(text)
        for found in _MACAU.finditer(text):
            if alone(text, *found.span()) and said(text, found.start()) == "id":
                yield self.span(*found.span(), 0.7)

    def pseudonym(self, draw: Draw) -> str:
        """A number of the area 99, which is not assigned, with a right check digit."""
        born = f"{1950 + draw.below(60)}{1 + draw.below(12):02d}{1 + draw.below(28):02d}"
        digits = f"99{draw.digits(4)}{born}{draw.digits(3)}"
        return digits + resident_check(digits)

    def same(self, value: str) -> str:
        """Letters and digits alone."""
        return re.sub(r"[^0-9A-Za-z]", "", value).upper()

    def _mainland(self, text: str) -> Iterator[Span]:
        for found in _NEW.finditer(text):
            number = self.same(found[0])
            if not alone(text, *found.span()) or not is_date(*map(int, (number[6:10], number[10:12], number[12:14]))):
                continue
            if resident_check(number[:17]) == number[17]:
                yield self.span(*found.span(), 0.99)
            elif said(text, found.start()) == "id":
                yield self.span(*found.span(), 0.8)
        for found in _OLD.finditer(text):
            number = found[0]
            dated = is_date(1900 + int(number[6:8]), int(number[8:10]), int(number[10:12]))
            word = said(text, found.start())
            if dated and word in ("", "id") and alone(text, *found.span()):
                yield self.span(*found.span(), 0.9 if word else 0.7)

    def _hong_kong(self, text: str) -> Iterator[Span]:
        for found in _HONG_KONG.finditer(text):
            letters, digits, check = found[1], found[2], found[3] or found[4]
            if not alone(text, *found.span()) or _hong_kong_check(letters, digits) != check:
                continue
            if found[3] or said(text, found.start()) == "id":
                yield self.span(*found.span(), 0.9)

    def _taiwan(self, text: str) -> Iterator[Span]:
        for found in _TAIWAN.finditer(text):
            area = 10 + _TAIWAN_AREAS.index(found[1])
            total = area // 10 + area % 10 * 9 + sum(int(d) * w for d, w in zip(found[2], range(8, 0, -1), strict=True))
            fits = alone(text, *found.span()) and (total + int(found[3])) % 10 == 0
            if fits and said(text, found.start()) in ("", "id"):
                yield self.span(*found.span(), 0.85)


def _hong_kong_check(letters: str, digits: str) -> str:
    """The sign in brackets of a Hong Kong card: weights 9 to 2, modulo 11; before a single letter a blank of 36."""
    signs = letters.rjust(2)
    values = [36 if sign == " " else int(sign, 36) for sign in signs] + [int(digit) for digit in digits]
    rest = -sum(value * weight for value, weight in zip(values, range(9, 1, -1), strict=True)) % 11
    return "A" if rest == 10 else str(rest)
