"""Moments: points in time as columns write them, read strictly; what can be read in two ways is never guessed."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

from tuneloop.errors import RecordError

MISSING = "the row has no time"
UNREADABLE = "its time cannot be read"

_AMBIGUOUS = re.compile(r"\d{1,2}[/.\-]\d{1,2}[/.\-]\d{2,4}(\D.*)?")
_YEAR_FIRST = re.compile(r"(\d{4})/(\d{1,2})/(\d{1,2})(?:[ T](.*))?")
_MONTH = re.compile(r"\d{4}(-\d{2})?")
_NUMBER = re.compile(r"\d{9,20}(\.\d+)?")
_UNITS = ((1e8, 1e11, 1_000_000), (1e11, 1e14, 1_000), (1e14, 1e17, 1), (1e17, 1e20, 0.001))
"""Numbers from, below, and the microseconds of one unit: seconds (from 1973 on), milli-, micro-, nanoseconds."""


class AmbiguousTime(RecordError):
    """A time whose day and month could be either way round."""


def moment(value: Any) -> int:
    """Read a point in time, in microseconds since 1970 (UTC).

    ISO 8601 in all its forms, a year or a month (its beginning), ``2024/3/4``, and seconds, milli-, micro- or
    nanoseconds since 1970. A time without zone counts as UTC.

    Args:
        value: What the column says.

    Raises:
        AmbiguousTime: It is written like ``03/04/2024``.
        RecordError: There is none, or it cannot be read.

    Example:
        >>> moment("1970-01-01T01:00:00+01:00"), moment("1970-01-02"), moment(1_700_000_000)
        (0, 86400000000, 1700000000000000)
    """
    if value is None or value == "" or (isinstance(value, str) and not value.strip()):
        raise RecordError(MISSING, where="data.split.column", fix="fill the column, or split by something else")
    found = None
    if isinstance(value, str):
        found = _text(value.strip())
    elif isinstance(value, int | float) and not isinstance(value, bool):
        found = _number(value)
    elif isinstance(value, datetime):
        found = _micros(value)
    elif isinstance(value, date):
        found = _micros(datetime(value.year, value.month, value.day))
    if found is None:
        raise RecordError(UNREADABLE, where="data.split.column", fix="write it as ISO 8601, like 2024-03-04T15:30:00")
    return found


def told(micros: int) -> str:
    """A moment as ISO 8601, in UTC.

    Example:
        >>> told(0)
        '1970-01-01T00:00:00Z'
    """
    seconds, rest = divmod(micros, 1_000_000)
    whole = (datetime(1970, 1, 1) + timedelta(seconds=seconds)).isoformat()
    return whole + (f".{rest:06d}" if rest else "") + "Z"


def _text(text: str) -> int | None:
    if _AMBIGUOUS.fullmatch(text):
        raise AmbiguousTime(
            f"the time {text[:40]!r} may have the day or the month first",
            where="data.split.column",
            fix="write it as ISO 8601 (2024-03-04), or let the transform `dates` decide it by the whole column",
        )
    if _NUMBER.fullmatch(text):
        return _number(float(text) if "." in text else int(text))
    if found := _YEAR_FIRST.fullmatch(text):
        year, month, day, rest = found.groups()
        text = f"{year}-{int(month):02d}-{int(day):02d}" + (f"T{rest}" if rest else "")
    elif _MONTH.fullmatch(text):
        text += "-01" if "-" in text else "-01-01"
    try:
        return _micros(datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        return None


def _number(value: float) -> int | None:
    if isinstance(value, int) and len(str(value)) in (4, 8):  # a year, or 20240304
        return _text(str(value))
    for low, high, unit in _UNITS:
        if low <= value < high:
            return int(value * unit) if unit >= 1 else int(value) // 1000
    return None


def _micros(when: datetime) -> int:
    when = when.replace(tzinfo=UTC) if when.tzinfo is None else when
    return (when - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
