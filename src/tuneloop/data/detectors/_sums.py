"""Check digits: the sums by which a number proves that it is one of its kind."""

from __future__ import annotations

import datetime

_LUHN = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)
_RESIDENT = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


def luhn(digits: str) -> bool:
    """Whether the last digit is the Luhn check digit of the others (ISO/IEC 7812-1, annex B).

    Example:
        >>> luhn("4111111111111111"), luhn("4111111111111112")
        (True, False)
    """
    values = [int(digit) for digit in reversed(digits)]
    return (sum(values[::2]) + sum(_LUHN[value] for value in values[1::2])) % 10 == 0


def mod97(iban: str) -> bool:
    """Whether an IBAN without blanks leaves 1 when divided by 97 (ISO 7064, MOD 97-10).

    Example:
        >>> mod97("GB82WEST12345698765432")
        True
    """
    return int("".join(str(int(sign, 36)) for sign in iban[4:] + iban[:4])) % 97 == 1


def resident_check(digits: str) -> str:
    """The 18th sign of a Chinese resident ID from its first 17 digits (GB 11643-1999, ISO 7064 MOD 11-2).

    Example:
        >>> resident_check("11010519491231002")
        'X'
    """
    total = sum(weight * int(digit) for weight, digit in zip(_RESIDENT, digits, strict=True))
    return "10X98765432"[total % 11]


def is_date(year: int, month: int, day: int) -> bool:
    """Whether there is such a day.

    Example:
        >>> is_date(1999, 2, 29)
        False
    """
    try:
        datetime.date(year, month, day)
    except ValueError:
        return False
    return True
