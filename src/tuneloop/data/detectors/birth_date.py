"""Dates of birth: a date that the words beside it call one."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import ClassVar, final

from tuneloop.data.detectors import Detector, Span

_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)\.?"
)
_DAY, _YEAR = r"(?:0?[1-9]|[12]\d|3[01])", r"(?:19\d\d|20[0-3]\d)"
_HAN_NUMBER = "[〇零一二三四五六七八九十]"
_DATE = (
    rf"(?P<date>{_YEAR}\s?年(?:\s?\d{{1,2}}\s?月)?(?:\s?\d{{1,2}}\s?[日号])?"
    rf"|{_HAN_NUMBER}{{4}}年(?:{_HAN_NUMBER}{{1,3}}月)?(?:{_HAN_NUMBER}{{1,3}}[日号])?"
    rf"|{_YEAR}[-/.](?:0?[1-9]|1[0-2])[-/.]{_DAY}(?:T[\d:.]+Z?)?(?!\d)"
    rf"|{_DAY}[-/.]{_DAY}[-/.](?:{_YEAR}|\d\d)(?!\d)"
    rf"|{_YEAR}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?!\d)"
    rf"|(?:the )?{_DAY}(?:st|nd|rd|th)?(?: of)?[ -]{_MONTH},?[ -]{_YEAR}(?!\d)"
    rf"|{_MONTH}[ -]{_DAY}(?:st|nd|rd|th)?(?:,? ?-?{_YEAR})?(?!\d)"
    rf"|{_MONTH},? {_YEAR}(?!\d)"
    r"|\d{1,2}\s?月\s?\d{1,2}\s?[日号])"
)
_SAYS = re.compile(
    r"\bborn\b(?: (?:on|in))?|\bdate[ _]of[ _]birth\b|\bbirth[ _]?dates?\b|\bbirthday\b|\bd\.?o\.?b\b\.?"
    r"|出生(?:日期|年月日?|时间|于|在)?|生日|诞生(?:于)?|(?<!学)生于|(?<=[日号\d])生(?=[，,。.；;）)\s人]|$)",
    re.IGNORECASE,
)
_BETWEEN = r"(?:[.?!] it(?:'s| is) |(?:(?![.?!] )[^\d\n。;；]){0,28}?|\s{0,4})"
_AFTER = re.compile(rf"{_BETWEEN}(?<![\d./-]){_DATE}", re.IGNORECASE)
_BEFORE = re.compile(rf"(?<![\d./-]){_DATE}\s?\(?$", re.IGNORECASE)
_REACH = 24
_YEAR_ONLY = re.compile(rf"{_YEAR}\s?年")


@final
class BirthDate(Detector):
    """A date beside ``born``, ``DOB``, ``出生`` and the like; the date alone is the find, and another date is none."""

    cues: ClassVar[tuple[str, ...]] = ("born", "Born", "BORN", "irth", "IRTH", "dob", "DOB", "d.o.b", "D.O.B", "生")

    def find(self, text: str) -> Iterable[Span]:
        """Look behind and before the words that speak of a birth.

        Example:
            >>> text = "DOB: 03/04/1990, hired 5 May 2015; 生于1988年6月1日"
            >>> [text[span.start : span.end] for span in BirthDate().find(text)]
            ['03/04/1990', '1988年6月1日']
        """
        for word in _SAYS.finditer(text):
            match = _BEFORE.search(text, max(0, word.start() - _REACH), word.start()) or _AFTER.match(text, word.end())
            if match is not None and not _YEAR_ONLY.fullmatch(match["date"]):
                yield self.span(*match.span("date"), 0.9)

    def same(self, value: str) -> str:
        """Its numbers and letters, without what stands between them."""
        return re.sub(r"[\W_]+", "-", value).strip("-").casefold()
