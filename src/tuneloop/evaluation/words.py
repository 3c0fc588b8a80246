"""Words: how texts in any language are cut into the units that scores count.

Languages written without spaces (Chinese, Japanese) have no words that a program could find without a
dictionary, so each of their characters is a unit; everything else is counted by words.
"""

from __future__ import annotations

import re

_CJK = (
    "\u3040-\u30ff\u31f0-\u31ff"  # kana
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"  # ideographs
    "\U00020000-\U0003ffff"
)
_UNIT = re.compile(rf"[{_CJK}]|[^\W_{_CJK}]+")
_IDEOGRAPH = re.compile(rf"[{_CJK}]")


def words(text: str) -> list[str]:
    """Cut a text into lower-case words and single Chinese or Japanese characters; signs are left out.

    Example:
        >>> words("Tea at 7 p.m., 两公斤大米")
        ['tea', 'at', '7', 'p', 'm', '两', '公', '斤', '大', '米']
    """
    return _UNIT.findall(text.lower())


def apart(text: str) -> str:
    """Put a space on both sides of every Chinese or Japanese character, so that splitting finds each.

    Example:
        >>> apart("买tea").split()
        ['买', 'tea']
    """
    return _IDEOGRAPH.sub(lambda found: f" {found[0]} ", text)


def script(text: str) -> str:
    """Name the writing of a text: ``CJK`` when at least a fifth of its letters are, else ``other``.

    Example:
        >>> script("三月三日下午两点, Anna"), script("Anna says 你好 to everybody in the room")
        ('CJK', 'other')
    """
    letters = [sign for sign in text if sign.isalpha()]
    share = sum(1 for sign in letters if _IDEOGRAPH.match(sign)) / len(letters) if letters else 0.0
    return "CJK" if share >= 0.2 else "other"
