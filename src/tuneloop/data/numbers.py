"""Numbers as people and spreadsheets write them: every reading that a cell allows, with the unit it carries.

``1,234`` is 1234 to some and 1.234 to others, as ``1.234`` is; so a cell is read with either decimal sign, and the
column decides which one it has.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from tuneloop.data.cells import trimmed

_CURRENCY = r"(?:US\$|[$€£¥￥₹₽₩]|USD|EUR|GBP|JPY|CNY|RMB|CHF|INR)"
_CELL = re.compile(
    rf"'?(?P<open>\()?(?P<sign1>[-+\u2212])?\s*(?P<money1>{_CURRENCY})?\s*(?P<sign2>[-+\u2212])?"
    r"(?P<body>\d[\d.,'\u2019 ]*\d|\d|[.,]\d+)(?P<exponent>e[-+]?\d{1,3})?"
    rf"(?P<sign3>-(?![\w\d]))?\s*(?P<unit>{_CURRENCY}|%|‰|[^\W\d_][\w./²³ -]*|°[CF]?)?(?P<close>\))?",
    re.IGNORECASE,
)
_POINT = re.compile(
    r"(?:[1-9]\d{0,2}(?P<gap>[, '\u2019])\d{3}(?:(?P=gap)\d{3})*|[1-9]\d?(?:,\d\d)+,\d{3}|\d+)?(?:\.\d+)?"
)
_COMMA = re.compile(r"(?:[1-9]\d{0,2}(?P<gap>[. '\u2019])\d{3}(?:(?P=gap)\d{3})*|\d+)?(?:,\d+)?")
_GAPS = re.compile(r"[ '\u2019]")
_UNITS = {
    "oz": "oz ounce ounces",
    "fl oz": "floz fluidounce fluidounces",
    "lb": "lb lbs pound pounds",
    "kg": "kg kgs kilo kilos kilogram kilograms 公斤 千克",
    "g": "g gr gram grams gramme grammes 克",
    "mg": "mg milligram milligrams 毫克",
    "l": "l liter liters litre litres 升",
    "ml": "ml milliliter milliliters millilitre millilitres 毫升",
    "km": "km kms kilometer kilometers kilometre kilometres 公里 千米",
    "m": "m meter meters metre metres 米",
    "cm": "cm centimeter centimeters centimetre centimetres 厘米",
    "mm": "mm millimeter millimeters 毫米",
    "in": "in inch inches 英寸",
    "ft": "ft foot feet 英尺",
    "mi": "mi mile miles 英里",
    "h": "h hr hrs hour hours 小时",
    "min": "min mins minute minutes 分钟",
    "s": "s sec secs second seconds 秒",
    "d": "day days 天",
    "yr": "yr yrs year years 年 岁",
    "$": "usd us$",
    "€": "eur",
    "£": "gbp",
    "¥": "jpy cny rmb ￥ 元 円",
}
_SAME = {word: unit for unit, words in _UNITS.items() for word in [unit.replace(" ", ""), *words.split()]}


@dataclass(frozen=True, slots=True)
class Written:
    """A cell that is written as a number.

    Attributes:
        readings: What it says with ``.`` and with ``,`` as the decimal sign; one by which it is no number is left out.
        unit: What it is counted in, by one name for all its spellings; empty where none is written.
        note: What stands behind the unit.
        digits: The digits as written, without grouping.
        exponent: The power of ten as written, such as ``e+15``; empty where none is.
        spaced: Whether blanks group the digits.
    """

    readings: dict[str, float]
    unit: str
    note: str
    digits: str
    exponent: str
    spaced: bool

    @property
    def is_certain(self) -> bool:
        """Whether all its readings say the same."""
        return len(set(self.readings.values())) == 1

    @property
    def keeps_zeros(self) -> bool:
        """Whether it begins with a zero that a number would lose: such a cell is a code."""
        return len(self.digits) > 1 and self.digits.startswith("0") and self.digits.isdigit() and not self.exponent


def read(text: str) -> Written | None:
    """Read a cell as a number.

    Returns:
        Its readings; None if it is not written as a number.

    Example:
        >>> read("1.234,50 €").readings, read("1.234,50 €").unit
        ({',': 1234.5}, '€')
        >>> read("1,234").readings, read("(12.5%)").readings
        ({'.': 1234.0, ',': 1.234}, {'.': -12.5})
        >>> read("16.0 oz. can").unit, read("16.0 oz. can").note, read("7:30")
        ('oz', 'can', None)
    """
    found = _CELL.fullmatch(trimmed(text))
    if found is None or bool(found["open"]) != bool(found["close"]):
        return None
    signs = [sign for sign in (found["sign1"], found["sign2"], found["sign3"]) if sign]
    money, (unit, note) = found["money1"], _unit(found["unit"] or "")
    if len(signs) + bool(found["open"]) > 1 or (money and unit):
        return None
    factor = -1 if found["open"] or (signs and signs[0] != "+") else 1
    body, exponent = found["body"], (found["exponent"] or "").lower()
    readings = {}
    for decimal, pattern in ((".", _POINT), (",", _COMMA)):
        if pattern.fullmatch(body):
            plain = _GAPS.sub("", body).replace("," if decimal == "." else ".", "").replace(",", ".")
            number = factor * float(plain + exponent)
            if math.isfinite(number):
                readings[decimal] = number
    if not readings:
        return None
    digits = re.sub(r"\D", "", body) if "." not in body and "," not in body else _GAPS.sub("", body)
    return Written(readings, _unit(money)[0] if money else unit, note, digits, exponent, " " in body)


def _unit(written: str) -> tuple[str, str]:
    """A unit by one name for all its spellings, and the note behind it."""
    plain = written.strip().rstrip(".").lower()
    if plain.replace(" ", "") in _SAME:
        return _SAME[plain.replace(" ", "")], ""
    word, _, note = written.strip().partition(" ")
    word = word.rstrip(".").lower()
    return (_SAME[word], note) if word in _SAME and note else (plain, "")
