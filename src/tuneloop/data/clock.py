"""Times of day as sources write them, with whatever they write around them."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

_FOUND = re.compile(
    r"(?<![\d:/+-])(\d{1,2}):(\d\d)(?::\d\d)?(?![\d:])(?:\s*([ap])\.?(?:m\b\.?)?(?![b-z])|\s*(noon))?", re.I
)
_PLAIN = re.compile(r"(\d{1,2}):(\d\d)(\s?)([ap]\.?m?\.?)?", re.I)


def minute_of_day(text: str) -> int | None:
    """The time of day in a cell, in minutes after midnight; None where there is none, or more than one.

    Example:
        >>> minute_of_day("7:10 p.m."), minute_of_day("12/2/11 6:35 a.m."), minute_of_day("6:55aDec 2 (late)")
        (1150, 395, 415)
        >>> minute_of_day("7:10 or 7:40"), minute_of_day("25:00")
        (None, None)
    """
    found = _FOUND.findall(text)
    if len(found) != 1:
        return None
    written, minutes, half, noon = found[0]
    hour = int(written)
    if half or noon:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if noon or half.lower() == "p" else 0)
    return hour * 60 + int(minutes) if hour < 24 and int(minutes) < 60 else None


@dataclass(frozen=True)
class Clock:
    """How a column writes times of day.

    Attributes:
        padded: Whether hours below ten have a zero before them.
        gap: What stands before the half of the day.
        half: How the first half is written, such as ``a.m.``; empty for a day of 24 hours.
    """

    padded: bool
    gap: str
    half: str

    @classmethod
    def of(cls, cells: Counter[str]) -> Clock | None:
        """The way most of some cells are written; None if most are no plain times.

        Example:
            >>> Clock.of(Counter(["7:10 p.m.", "6:55 a.m.", "11:20 a.m. (late)"])).write(1150)
            '7:10 p.m.'
        """
        ways: Counter[Clock] = Counter()
        padded = 0
        for cell, times in cells.items():
            found = _PLAIN.fullmatch(cell)
            if found is not None and minute_of_day(cell) is not None:
                half = (found[4] or "").replace("p", "a").replace("P", "A")
                ways[cls(False, found[3], half)] += times
                padded += times if found[1].startswith("0") else 0
        if 2 * ways.total() <= cells.total():
            return None
        way = max(ways, key=lambda way: (ways[way], way.half))
        return cls(padded > 0, way.gap, way.half)

    def write(self, minute: int) -> str:
        """A time of day in this way."""
        hour, minutes = divmod(minute, 60)
        shown = (hour % 12 or 12) if self.half else hour
        half = self.half.replace("a", "p").replace("A", "P") if hour > 11 else self.half
        return f"{shown:02}:{minutes:02}" + self.gap + half if self.padded else f"{shown}:{minutes:02}{self.gap}{half}"
