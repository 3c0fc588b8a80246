"""Licence plates of China (GA 36, new-energy vehicles included), and others where a plate is spoken of."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import ClassVar, final

from tuneloop.data.detectors import Detector, Span
from tuneloop.data.detectors._text import nearest

_CHINESE = re.compile(
    "[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼][A-Za-z][ ·•・.-]?"
    "(?:[0-9A-HJ-NP-Za-hj-np-z]{5,6}|[0-9A-HJ-NP-Za-hj-np-z]{4}[挂学警港澳领使])(?![0-9A-Za-z])"
)
_OTHER = re.compile(r"(?<![0-9A-Za-z])[0-9A-Z]{1,4}(?:[ ·-]?[0-9A-Z]{1,4}){1,2}(?![0-9A-Za-z])")
_SAID = re.compile(
    r"(?P<plate>licen[cs]e plates?|number plates?|plate numbers?|registration plates?|\bplates?\b|车牌|号牌|牌照)", re.I
)
_LEAST, _SHORTEST = 2, 5


@final
class LicencePlate(Detector):
    """Chinese plates of seven or eight signs anywhere; plates of other countries after the word."""

    digits: ClassVar[int] = 1

    def find(self, text: str) -> Iterable[Span]:
        """Look for the sign of a province, a letter and five or six signs; then for what is called a plate.

        Example:
            >>> text = "车主的车牌是粤B·D12345，另一辆京A12345停在楼下"
            >>> [text[span.start : span.end] for span in LicencePlate().find(text)]
            ['粤B·D12345', '京A12345']
        """
        for found in () if text.isascii() else _CHINESE.finditer(text):
            said = nearest(text, found.start(), _SAID, 12)
            digits = sum(map(str.isdigit, found[0]))
            if said or (digits >= _LEAST and found[0].upper() == found[0]):
                yield self.span(*found.span(), 0.9 if said else 0.85)
        for found in _OTHER.finditer(text) if "plate" in text.lower() else ():
            mixed = len(found[0]) >= _SHORTEST and not found[0].isdigit() and any(map(str.isdigit, found[0]))
            if mixed and nearest(text, found.start(), _SAID, 24):
                yield self.span(*found.span(), 0.65)

    def same(self, value: str) -> str:
        """Letters, digits and Han signs alone, in capitals."""
        return "".join(sign for sign in value if sign.isalnum()).upper()
