"""Telephone numbers: international (ITU-T E.164), Chinese mobile and landline, and national forms elsewhere."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import ClassVar, final

from tuneloop.data.detectors import Detector, Span
from tuneloop.data.detectors._draw import Draw
from tuneloop.data.detectors._text import is_letter
from tuneloop.data.detectors._words import said

_COUNTRY = (
    "(?:1|7|2(?:0|1[1-368]|[246]\\d|7|3\\d|5[0-8]|9[0178])|3(?:[0-469]|5\\d|7[0-8]|8[0-35-79])|4(?:[013-9]|2[013])"
    "|5(?:[1-8]|0\\d|9\\d)|6(?:[0-6]|[79]\\d|8[0-35-9])|8(?:[1246]|0[08]|5[02356]|7[08]|8[0-36])"
    "|9(?:[0-58]|6[0-8]|7[0-7]|9[2-68]))"
)
_EXTENSION = r"(?:(?: ?(?:x|ext\.?|extension|#|转|轉|分机|-转) ?:? ?\d{1,6})(?!\d))?"
_MOBILE = r"1[3-9]\d(?:[ .-]{0,3}\d{4}){2}|1[3-9]\d{2}[ -]\d{3}[ -]\d{4}|1[3-9]\d[ -]\d{3}[ -]\d{5}"
_CITY = r"(?:10|2[0-57-9]|[3-9]\d{2})"
_AREA = f"0{_CITY}"
_FORMS: tuple[tuple[re.Pattern[str], float], ...] = tuple(
    (re.compile(rf"(?<!\d)(?:{form}){_EXTENSION}(?!\d)", re.IGNORECASE), certainty)
    for form, certainty in (
        (rf"(?:\(?(?:\+|00)?86\)?[ -]{{0,2}})?(?:{_MOBILE})", 0.9),
        (r"\+1[ .-]?(?:\(\d{3}\)|\d{3})[ .-]?\d{3}[ .-]?\d{4}", 0.92),
        (rf"\(?\+(?!86){_COUNTRY}\)?(?:[ .-]?\(\d{{1,5}}\)|[ .-]?\d{{2,5}} ?/)?(?:[ .-]{{0,2}}\d){{4,13}}", 0.9),
        (r"\(?\+86\)?(?:[ .-]{0,2}\d){4,13}", 0.88),
        (rf"(?:\+|00)86[ -]?(?:\(0?{_CITY}\) ?|{_CITY}[ -]?)[2-8]\d{{2,3}}[ -]?\d{{4}}(?:-\d{{1,5}})?", 0.89),
        (rf"00{_COUNTRY}(?:[ .-]?\(\d{{1,4}}\) ?\d+)?(?:[ .-]{{1,2}}\d+){{1,5}}", 0.84),
        (rf"(?:(?:\+|00)?86[ -]?)?(?:\({_AREA}\) ?|{_AREA}[ -]{{0,3}})[2-8]\d{{2,3}}[ -]?\d{{4}}(?:-\d{{1,5}})?", 0.85),
        (r"[48]00[ -]?(?:\d{3}[ -]?\d{4}|\d{4}[ -]\d{3})", 0.8),
        (r"(?:1[ .-]?)?(?:\(\d{3}\) ?|\d{3}-|[2-9]\d\d[ .-])\d{3}[ .-]\d{4}", 0.85),
        (r"001[ .-]\d{3}[ .-]\d{3}[ .-]\d{4}", 0.85),
        (r"\(0\d{1,4}\) ?\d{2,4}(?:[ -]?\d{2,4}){1,3}", 0.84),
        (r"\([1-9]\d\) ?\d{4,5}-\d{4}", 0.85),
        (r"0\d{1,4}[ /-]\d{2,4}(?:[ -]\d{2,4}){1,3}|0\d{2,4}(?:[ -]| ?/ ?)\d{5,8}", 0.75),
        (r"0[1-9](?:[ .-]\d\d){4}", 0.8),
    )
)
_TOLD = re.compile(r"\+?\(?\d(?:[ .()/-]{0,3}\d){6,14}" + _EXTENSION, re.IGNORECASE)
_DATE = re.compile(
    r"(?:19|20)\d\d ?[./-] ?(?:0?[1-9]|1[0-2]) ?[./-] ?[0-3]?\d|[0-3]?\d ?([./-]) ?[0-3]?\d ?\1 ?(?:19|20)\d\d"
    r"|(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?!\d)"
    r"|[12]\d{3} ?- ?[12]\d{3}(?!\d)"
)
_OTHER = re.compile(r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}\Z|(?:(?<!\d)\d\D{1,3}){3}")
_WORD = re.compile(
    r"(?:tel|telephone|phone|ph|mobile|mob|cell|fax|call|wechat|weixin|wx|vx|whatsapp|t|m|p|f)\Z", re.IGNORECASE
)
_UNIT = re.compile(
    r" ?(?:%|°|元|块|美元|万|亿|人|个|年|米|公里|千米|吨|克|公斤|次|倍"
    r"|(?:km|kg|usd|dollars?|people|times|years?|bytes?)\b)"
    r"|[.:]\d|,\d{3}(?![\d -]\d|\d)| ?[*^×÷] ?\d| ?=|[-/_]?[a-z_]\w",
    re.IGNORECASE,
)
_SUM = re.compile(r"(?:\d ?[*^×÷+=]|[$¥￥€£%×÷]) ?\Z|\d[.-]\Z|(?<![\d转机x#-])\d{1,3}/\Z|[A-Za-z_]/\Z|[0-9A-Za-z_]_\Z")
_THOUSANDS = re.compile(r"(?<!\d)\d{1,3},\Z"), re.compile(r"\d{3}(?:,|\.\d+(?![\d.])|(?![\d .-]))")
_HYPHEN = re.compile(r"[A-Za-z_]-\Z")
_AFTER = re.compile(
    r" ?[-–,(（:]? ?(?:(?:office|fax|mobile|cell|home|work|tel|phone|landline|whatsapp)"
    r"(?= ?(?:[\n,;:.)\\]|\Z))|手机|电话|座机|传真|微信)",
    re.IGNORECASE,
)
_ITEM = re.compile(r"\d\D?\d{2,4} \d\Z")
_PAIRS = re.compile(r"\d\d(?: \d\d)+")
_ONE_MORE = re.compile(r" \d{1,2}(?!\d)")
_ONE_LESS = re.compile(r"(?<!\d)\d{1,2} \Z")
_TRUNK = 4
_LONGEST = 80
_WITHOUT = 10
_LEAST = 7
_SURE = 0.85
_SHORT = 4


@final
class Phone(Detector):
    """Telephone numbers by their form, and any number that is called one by the words before it."""

    digits: ClassVar[int] = 7
    stand_in: ClassVar[str] = r"\+999 \d{5} \d{5}"

    def find(self, text: str) -> Iterable[Span]:
        """Look for the forms of many countries, then for what the text calls a telephone number.

        Example:
            >>> text = "王工的手机是138 0013 8000，座机(010)12345678转12。"
            >>> [text[span.start : span.end] for span in Phone().find(text)]
            ['138 0013 8000', '(010)12345678转12']
        """
        found = sorted(span for form, certainty in _FORMS for span in self._by_form(text, form, certainty))
        told = []
        for span in self._by_word(text):
            first = bisect_left(found, (span.start - _LONGEST,))
            last = bisect_left(found, (span.end,))
            inside = [other for other in found[first:last] if other.end > span.start]
            if not inside:
                told.append(span)
            elif all(_is_trunk(text, span, other) for other in inside):
                told.append(span._replace(certainty=max(other.certainty for other in inside) + 0.01))
        return found + told

    def same(self, value: str) -> str:
        """The digits alone, without the code of China and without what dials abroad."""
        digits = re.sub(r"\D", "", value)
        digits = digits.removeprefix("00") if not value.startswith("+") else digits
        return digits[2:] if re.fullmatch(r"86(?:1[3-9]\d{9}|[2-9]\d{8,10})", digits) else digits

    def pseudonym(self, draw: Draw) -> str:
        """A number below +999, a country code that is not assigned."""
        return f"+999 {draw.digits(5)} {draw.digits(5)}"

    def _by_form(self, text: str, form: re.Pattern[str], certainty: float) -> Iterator[Span]:
        for found in form.finditer(text):
            start, end = _unwrapped(text, found)
            digits = sum(map(str.isdigit, text[start:end]))
            if digits >= _LEAST and _stands_free(text, start, end) and not _DATE.match(text, start):
                word = said(text, start)
                if word in ("", "phone") or text[start] in "+(" or (word != "other" and certainty > _SURE):
                    yield self.span(start, end, certainty if word else certainty - 0.05)

    def _by_word(self, text: str) -> Iterator[Span]:
        for found in _TOLD.finditer(text):
            start, end = _unwrapped(text, found)
            other = _DATE.match(text, start) or _OTHER.search(text, start, end) or not _stands_free(text, start, end)
            if not other and (said(text, start) == "phone" or (said(text, start) == "" and _AFTER.match(text, end))):
                yield self.span(start, end, 0.6)


def _is_trunk(text: str, span: Span, inner: Span) -> bool:
    """Whether a span is an inner one with what is dialled before it (``8 (771) 000 9998``)."""
    whole = sum(map(str.isdigit, text[inner.start : inner.end])) > _WITHOUT
    return not whole and span.start < inner.start <= span.start + _TRUNK and span.end == inner.end


def _unwrapped(text: str, found: re.Match[str]) -> tuple[int, int]:
    """The number without a bracket that opens around something else, and without the number of the next item."""
    start, end = found.span()
    if _ITEM.search(text, start, end) and text[end : end + 1] in tuple(".、)"):
        end -= 2
    if text[start] == "(" and ")" not in found[0]:
        start += 1
    return start, end


def _stands_free(text: str, start: int, end: int) -> bool:
    """Whether the number is not a piece of a longer word, sum, price or measure."""
    before, after = text[start - 1 : start], text[end : end + 1]
    if before.isdigit() or after.isdigit():
        return False
    touches = start if is_letter(before) else start - 1 if _HYPHEN.search(text, max(0, start - 2), start) else 0
    if touches and not _WORD.search(text, max(0, touches - 10), touches):
        return False
    if text[start] != "+" and _SUM.search(text, max(0, start - _SHORT), start):
        return False
    before_comma, behind_comma = _THOUSANDS
    if before_comma.search(text, max(0, start - _SHORT), start) and behind_comma.match(text, start):
        return False
    if _PAIRS.fullmatch(text, start, end) and (
        _ONE_MORE.match(text, end) or _ONE_LESS.search(text, max(0, start - _SHORT), start)
    ):
        return False  # some of the pairs of a longer row of them
    if _AFTER.match(text, end):
        return True
    return not (is_letter(after) or after == "@" or _UNIT.match(text, end) or _continues(text, end))


def _continues(text: str, end: int) -> bool:
    return text[end : end + 1] == "-" and text[end + 1 : end + 2].isdigit()
