"""Whether a value looks drawn by lot, as keys are, or written by a person."""

from __future__ import annotations

import math
import re
from collections import Counter

_BITS = 2.8
_FILLED_IN = re.compile(
    r"(?:your|my|the|insert|enter|replace|change|example|sample|dummy|placeholder|redacted)[_. -]?\w*[_. -]\w*"
    r"|(.)\1+|x+",
    re.IGNORECASE,
)


def bits(value: str) -> float:
    """Shannon entropy of the signs of a value, in bits a sign.

    Example:
        >>> bits("aaaa"), bits("abcd")
        (0.0, 2.0)
    """
    return sum(-count / len(value) * math.log2(count / len(value)) for count in Counter(value).values()) + 0.0


def is_random(value: str, least: int) -> bool:
    """Whether a value has a length, digits and letters, and as many different signs as keys have.

    Example:
        >>> is_random("9fX2kQ7vLm3Rt8Zc", 16), is_random("your-api-key-here-123", 16)
        (True, False)
    """
    if len(value) < least or _FILLED_IN.fullmatch(value):
        return False
    digits, letters = sum(map(str.isdigit, value)), sum(map(str.isalpha, value))
    words = re.fullmatch(r"(?:[A-Za-z]{2,}|\d{1,4})(?:[_.-](?:[A-Za-z]{2,}|\d{1,4}))+", value)
    return not words and digits > 0 and letters > 1 and bits(value) >= _BITS
