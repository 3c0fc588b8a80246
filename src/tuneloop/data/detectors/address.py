"""Postal addresses, Chinese and in Latin letters."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import final

from tuneloop.data.detectors import Detector, Span
from tuneloop.data.names import chinese_addresses, latin_addresses

_HAN = re.compile("[\u4e00-\u9fff]")
_CELL = re.compile(
    r"(?:(?:home|street|mailing|postal|billing|shipping|delivery) )?address(?: ?(?:line ?)?\d)?: "
    r"(?P<value>[^\n@:]{3,80}?(?:\d[\w/-]{0,5}|"
    r"\b(?:street|avenue|road|lane|drive|court|place|crescent|circuit|close|way|terrace|boulevard|parade|grove)))\s*$",
    re.IGNORECASE,
)


@final
class Address(Detector):
    """Addresses that lead to a home: street and number, a box, or a village within its region; over several lines."""

    def find(self, text: str) -> Iterable[Span]:
        """Look for streets with numbers, and take unit, city, state, code and country behind them along.

        A place alone (``Paris``, ``北京市``) is no address.

        Example:
            >>> text = "Ship to 12 Elm Street, Apt 4, Springfield, IL 62701, 或上海市徐汇区漕溪路25号301室"
            >>> [text[span.start : span.end] for span in Address().find(text)]
            ['12 Elm Street, Apt 4, Springfield, IL 62701', '上海市徐汇区漕溪路25号301室']
        """
        cell = _CELL.match(text)
        if cell is not None and ". " not in cell["value"] and any(map(str.isalpha, cell["value"])):
            return [self.span(*cell.span("value"), 0.7)]
        found = latin_addresses.addresses(text)
        if not text.isascii() and _HAN.search(text):
            found = [*found, *chinese_addresses.addresses(text)]
        return [self.span(start, end, 0.75 if formal else 0.65) for start, end, formal in found]
