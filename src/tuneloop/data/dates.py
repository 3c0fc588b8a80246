"""Dates as people and programs write them: every reading that a cell allows, and what its shape is.

A cell such as ``03/04/2024`` has two readings, and nothing in it says which is meant. So a cell is read to *all* of
its readings, by the order of day, month and year, and the column decides which order its cells of one shape have.
"""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass
from typing import Literal, TypeAlias

from tuneloop.data.cells import trimmed

Order: TypeAlias = Literal["dmy", "mdy", "ymd"]

_NAMES = "january february march april may june july august september october november december"
_MONTHS = {
    name[:length]: number
    for number, name in enumerate(_NAMES.split(), start=1)
    for length in (3, 4 if name == "september" else 3, len(name))
}
_MONTH = "(?P<name>" + "|".join(sorted(_MONTHS, key=len, reverse=True)) + r")\.?"
_WEEKDAY = r"(?:(?:mon|tues?|wed(?:nes)?|thu(?:rs?)?|fri|sat(?:ur)?|sun)(?:day)?[.,]?\s+)?"
_DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"
_YEAR = r"(?P<year>\d{4}|'?\d\d)"
_GAP = r"[\s,/.-]+(?:of\s+)?"
_TIME = (
    r"(?:(?:T|,?\s+|,)\s*(?P<half1>上午|下午|中午|晚上|凌晨|早上)?(?P<hour>\d{1,2})"
    r"(?:(?::|时|点|h)(?P<minute>\d\d)?(?:[:分](?P<second>\d\d)?(?P<fraction>[.,]\d{1,9})?秒?)?分?)?"
    r"\s*(?P<half2>[ap]\.?m\.?)?\s*(?P<zone>z|utc|gmt|(?:utc|gmt)?[+-]\d{1,2}(?::?\d\d)?)?)?"
)

_TIME_AT_ONCE = _TIME.replace("(?:T|", "(?:T||", 1)

_FORMS = [
    # 2024-03-05, 2024/3/5, 2024.03.05
    ("ymd", rf"(?P<a>\d{{4}})(?P<gap>[-/.])(?P<b>\d{{1,2}})(?P=gap)(?P<c>\d{{1,2}}){_TIME}"),
    # 05/03/2024, 5-3-2024, 05.03.2024
    ("dmy mdy", rf"(?P<a>\d{{1,2}})(?P<gap>[-/.])(?P<b>\d{{1,2}})(?P=gap)(?P<c>\d{{4}}){_TIME}"),
    # 05-03-24 has a third reading that 05/03/24 has not
    ("dmy mdy ymd", rf"(?P<a>\d{{1,2}})(?P<gap>-)(?P<b>\d{{1,2}})(?P=gap)(?P<c>\d\d){_TIME}"),
    ("dmy mdy", rf"(?P<a>\d{{1,2}})(?P<gap>[/.])(?P<b>\d{{1,2}})(?P=gap)(?P<c>\d\d){_TIME}"),
    # 2024年3月5日
    (
        "named",
        r"(?P<year>\d{4})\s*年\s*(?P<name>\d{1,2})\s*月\s*(?P<day>\d{1,2})\s*[日号]?(?:星期.|周.)?\s*" + _TIME_AT_ONCE,
    ),
    # 5 March 2024, 5-Mar-24
    ("named", rf"{_WEEKDAY}{_DAY}(?:{_GAP})?{_MONTH}(?:{_GAP})?{_YEAR}{_TIME}"),
    # March 5th, 2024
    ("named", rf"{_WEEKDAY}{_MONTH}(?:{_GAP})?{_DAY}{_GAP}{_YEAR}{_TIME}"),
    # 2024-Mar-05
    ("named", rf"(?P<year>\d{{4}}){_GAP}{_MONTH}{_GAP}{_DAY}{_TIME}"),
    # 20240305, 20240305T142000Z
    (
        "ymd",
        r"(?P<a>(?:19|20)\d\d)(?P<b>\d\d)(?P<c>\d\d)"
        r"(?:T(?P<hour>\d\d)(?P<minute>\d\d)(?P<second>\d\d)?(?P<zone>z)?)?",
    ),
]
_HALVES = {
    **dict.fromkeys(("上午", "凌晨", "早上"), lambda hour: hour % 12),
    "中午": lambda hour: hour if hour > 10 else hour + 12,
    "下午": lambda hour: hour % 12 + 12,
    "晚上": lambda hour: hour + 12,
}
_PATTERNS = [(orders.split(), re.compile(pattern, re.IGNORECASE)) for orders, pattern in _FORMS]


@dataclass(frozen=True, slots=True)
class Dated:
    """A cell that is written as a date.

    Attributes:
        shape: How it is written, such as ``00/00/0000`` or ``0 Mmm 0000 + time``; cells of one shape share an order.
        readings: What it says by each order (ISO 8601); an order by which there is no such day or time is left out.
    """

    shape: str
    readings: dict[str, str]

    @property
    def is_certain(self) -> bool:
        """Whether all its readings say the same."""
        return len(set(self.readings.values())) == 1


def read(text: str, pivot: int = 69) -> Dated | None:
    """Read a cell as a date.

    Args:
        text: The cell.
        pivot: Years of two digits from this one on are of the 1900s, below it of the 2000s.

    Returns:
        Its readings; None if it is not written as a date at all.

    Example:
        >>> read("03/04/2024").readings
        {'dmy': '2024-04-03', 'mdy': '2024-03-04'}
        >>> read("4-Sep-12").readings, read("2024年3月5日 下午3:20").readings
        ({'named': '2012-09-04'}, {'named': '2024-03-05T15:20:00'})
        >>> read("30 February 2024").readings, read("next week")
        ({}, None)
    """
    text = trimmed(text)
    if len(text) > 48 or not any(sign.isdigit() for sign in text):
        return None
    for orders, form in _PATTERNS:
        if found := form.fullmatch(text):
            return _dated(found, orders, pivot) if _tells_time(found) else None
    return None


def serial(days: float) -> str | None:
    """The date of a spreadsheet's serial number: days since 30 December 1899; None if it is no likely one.

    Example:
        >>> serial(45356), serial(45356.5), serial(7)
        ('2024-03-05', '2024-03-05T12:00:00', None)
    """
    if not 10_000 <= days < 80_000:
        return None
    moment = datetime.datetime(1899, 12, 30) + datetime.timedelta(seconds=round(days * 86_400))
    return moment.date().isoformat() if moment.time() == datetime.time() else moment.isoformat()


def _tells_time(found: re.Match[str]) -> bool:
    """Whether what stands behind the date, if anything, is a time and not just a number."""
    parts = found.groupdict()
    if not parts.get("hour") or parts.get("minute") or parts.get("half1") or parts.get("half2"):
        return True
    return found.string[found.end("hour") :][:1] in ("时", "点", "h")


def _dated(found: re.Match[str], orders: list[str], pivot: int) -> Dated:
    parts = found.groupdict()
    time = _time(parts)
    readings = {}
    for order in orders:
        year, month, day = _placed(parts, order)
        iso = None
        if time is not None and len(year) > 1:
            iso = _iso(_year(year, pivot), month, day, time, parts.get("zone"))
        if iso is not None:
            readings[order] = iso
    return Dated(_shape(found), readings)


def _placed(parts: dict[str, str | None], order: str) -> tuple[str, int, int]:
    """Year, month and day of a cell's parts by an order."""
    if order == "named":
        name = str(parts["name"]).lower()
        return str(parts["year"]), _MONTHS.get(name) or int(name), int(str(parts["day"]))
    place = {letter: str(parts["abc"[i]]) for i, letter in enumerate(order)}
    return place["y"], int(place["m"]), int(place["d"])


def _year(written: str, pivot: int) -> int:
    year = int(written.strip("'"))
    return year if len(written.strip("'")) == 4 else year + (1900 if year >= pivot else 2000)


def _time(parts: dict[str, str | None]) -> tuple[int, int, int, str] | None:
    """Hour (24 at its full is let pass), minute, second, fraction; hour -1 where none is written; None if wrong."""
    if not parts.get("hour"):
        return (-1, 0, 0, "")
    hour, minute, second = (int(parts.get(name) or 0) for name in ("hour", "minute", "second"))
    half = (parts.get("half1") or parts.get("half2") or "").lower()
    if half[:1] in ("a", "p"):
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if half[0] == "p" else 0)
    elif half in _HALVES and hour <= 12:
        hour = _HALVES[half](hour)
    if minute > 59 or second > 59 or hour > 24 or (hour == 24 and (minute or second)):
        return None
    return hour, minute, second, (parts.get("fraction") or "").replace(",", ".")


def _iso(year: int, month: int, day: int, time: tuple[int, int, int, str], zone: str | None) -> str | None:
    try:
        date = datetime.date(year, month, day)
        hour, minute, second, fraction = time
        if hour < 0:
            return date.isoformat()
        date += datetime.timedelta(days=hour // 24)
    except (ValueError, OverflowError):
        return None
    offset = _offset(zone)
    return None if offset is None else f"{date.isoformat()}T{hour % 24:02}:{minute:02}:{second:02}{fraction}{offset}"


def _offset(zone: str | None) -> str | None:
    """A zone as ISO 8601 writes it; empty where none is written, None where there is no such offset."""
    if not zone:
        return ""
    digits = re.sub(r"[^\d]", "", zone)
    if not digits:
        return "Z"
    hours, minutes = (int(digits[:-2]), int(digits[-2:])) if len(digits) > 2 else (int(digits), 0)
    return f"{'-' if '-' in zone else '+'}{hours:02}:{minutes:02}" if hours <= 14 and minutes < 60 else None


def _shape(found: re.Match[str]) -> str:
    """How a cell is written: digits as 0, a month's name as Mmm, whether numbers are filled up with zeros."""
    parts = found.groupdict()
    end = next((found.start(name) for name in ("half1", "hour") if parts.get(name)), found.end())
    date = found.string[:end].rstrip(" T,")
    if parts.get("name") and not str(parts["name"]).isdigit():
        date = date.replace(str(parts["name"]), "Mmm")
    elif "a" in parts and (gap := parts.get("gap")):
        date = gap.join("0" * len(str(parts[key])) if len(str(parts[key])) > 2 else "#" for key in "abc")
        return date + _filled(parts) + (" + time" if parts.get("hour") else "")
    return re.sub(r"\d+", lambda digits: "0" * len(digits[0]), date) + (" + time" if parts.get("hour") else "")


def _filled(parts: dict[str, str | None]) -> str:
    """Whether days and months below ten have a zero before them: `` (05)``, `` (5)``, or empty where none shows it."""
    short = [str(parts[key]) for key in "abc" if len(str(parts[key])) <= 2]
    if short and len(str(parts["c"])) == 2:
        short = short[:2]
    if any(len(part) == 1 for part in short):
        return " (5)"
    return " (05)" if any(part.startswith("0") for part in short) else ""


def related(shape: str) -> list[str]:
    """A shape and those whose order speaks for it too: where no zero can stand, it may be either way of filling up.

    Example:
        >>> related("#/#/0000"), related("#/#/0000 (5)")
        (['#/#/0000', '#/#/0000 (05)', '#/#/0000 (5)'], ['#/#/0000 (5)', '#/#/0000'])
    """
    head, _, tail = shape.partition(" + ")
    end = f" + {tail}" if tail else ""
    if head.endswith(")"):
        return [shape, head.rpartition(" (")[0] + end]
    return [shape, *(f"{head} ({filled}){end}" for filled in ("05", "5"))] if "#" in head else [shape]
