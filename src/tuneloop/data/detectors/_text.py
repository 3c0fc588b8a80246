"""What all detectors share: plain spelling of the same length, and the words before a find."""

from __future__ import annotations

import re

_KEPT = (0xFF01, 0xFF0C)  # unlike the plain ones they end no password and part no thousands
_PLAIN = {
    **{sign: sign - 0xFEE0 for sign in range(0xFF01, 0xFF5F) if sign not in _KEPT},
    **dict.fromkeys((0xA0, 0x202F, 0x205F, 0x3000, *range(0x2000, 0x200B)), ord(" ")),
    **dict.fromkeys((*range(0x2010, 0x2016), 0x2043, 0x2212, 0xFE58, 0xFE63), ord("-")),
    **dict.fromkeys((*range(0x2460, 0x249C), *range(0x24EB, 0x2500), *range(0x2776, 0x2794)), ord(" ")),  # ① ⒈ ❶
    0xFE6B: ord("@"),
    0x2019: ord("'"),
    **{
        zero + digit: ord("0") + digit
        for zero in (0x0660, 0x06F0, 0x0966, 0x09E6, 0x0A66, 0x0AE6, 0x0BE6, 0x0C66, 0x0CE6, 0x0D66, 0x0E50)
        for digit in range(10)
    },
}
_ESCAPE = re.compile(r'\\(?:u[0-9A-Fa-f]{4}|[nrtfb"/])')
_WIDE = re.compile("[\uff10-\uff19\uff20-\uff3a\uff41-\uff5a\ufe6b\u0660-\u0669\u06f0-\u06f9\u0966-\u096f]")

_WORD = re.compile(r"[0-9A-Za-z_]+\Z")
_HEXADECIMAL = re.compile("[0-9A-Fa-f]{1,4}")
_LABEL = 12


def wide(text: str) -> bool:
    """Whether a text has letters or digits that :func:`plain` makes ASCII."""
    return not text.isascii() and _WIDE.search(text) is not None


def plain(text: str) -> str:
    r"""The text with full-width signs, dashes and blanks as in ASCII, and escapes of JSON as blanks: equally long.

    Example:
        >>> plain("电话：１３８—０\\nab")
        '电话:138-0  ab'
    """
    if not text.isascii():
        text = text.translate(_PLAIN)
    return _ESCAPE.sub(_blanks, text) if "\\" in text else text


def _blanks(found: re.Match[str]) -> str:
    return ' "' if found[0] == '\\"' else " " * len(found[0])


def sentence(text: str, start: int, reach: int) -> int:
    """Where the words that may speak of a place begin: so far before it, behind a semicolon or Chinese full stop."""
    first = max(0, start - reach)
    return max(first, text.rfind(";", first, start) + 1, text.rfind("。", first, start) + 1)


def nearest(text: str, start: int, words: re.Pattern[str], reach: int = 40) -> str:
    """Which group of words comes last before a place.

    Args:
        text: The text.
        start: The place.
        words: A pattern of named groups.
        reach: How many characters before the place count, at most back to a semicolon or Chinese full stop.

    Returns:
        The group's name; empty if none of the words is there.
    """
    last = ""
    for found in words.finditer(text, sentence(text, start, reach), start):
        last = found.lastgroup or ""
    return last


def after_hexadecimal(text: str, start: int) -> bool:
    """Whether a colon stands before a place that belongs to a hexadecimal number, not to a label (``MAC:``).

    Example:
        >>> after_hexadecimal("ab:12", 3), after_hexadecimal("MAC:12", 4), after_hexadecimal("::12", 2)
        (True, False, True)
    """
    if text[start - 1 : start] != ":":
        return False
    word = _WORD.search(text, max(0, start - _LABEL), start - 1)
    return text[start - 2 : start - 1] == ":" or (word is not None and _HEXADECIMAL.fullmatch(word[0]) is not None)


def is_letter(sign: str) -> bool:
    """Whether a sign is a letter, digit or underscore of a script that puts blanks between words.

    Han, kana and Hangul are not: a number or address may stand right beside them.

    Example:
        >>> is_letter("é"), is_letter("好"), is_letter("")
        (True, False, False)
    """
    if not sign:
        return False
    if sign.isascii():
        return sign.isalnum() or sign == "_"
    point = ord(sign)
    east = 0x1100 <= point < 0x1200 or 0x2E80 <= point < 0xD7B0 or 0xF900 <= point < 0xFB00 or point >= 0x20000
    return sign.isalnum() and not east


def alone(text: str, start: int, end: int) -> bool:
    """Whether what stands between two places is a word of its own: no letter or digit touches it.

    A decimal point or a hyphen with a letter or digit behind it counts as touching.

    Example:
        >>> alone("号123。", 1, 4), alone("a1234", 1, 5), alone("0.123", 2, 5), alone("x-123", 2, 5)
        (True, False, False, False)
    """
    before, after = text[start - 1 : start], text[end : end + 1]
    if is_letter(before) or is_letter(after):
        return False
    if before and before in ".-" and is_letter(text[start - 2 : start - 1]):
        return False
    return not (after and after in ".-" and is_letter(text[end + 1 : end + 2]))
