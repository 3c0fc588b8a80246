"""Fields of raw rows: renamed, freed of nulls, and looked at for what no text model can take."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from tuneloop.errors import DataError, Problem, RecordError

MEDIA = ("image", "images", "audio", "audios", "video", "videos")
MEDIA_REASON = "the row holds media, and only text can be learned from so far"
_TAG = re.compile(r"<(img|audio|video)>[^<]+</\1>")


def tidy(row: Mapping[str, Any], renames: Mapping[str, str]) -> dict[str, Any]:
    """A row with its columns renamed, without blanks around their names and without those that are null.

    Args:
        row: The raw row.
        renames: The wanted name and the column that holds it.

    Example:
        >>> tidy({" Question ": "why?", "note": None}, {"prompt": "Question"})
        {'prompt': 'why?'}
    """
    fields = {str(name).strip(): value for name, value in row.items() if value is not None}
    if not renames:
        return fields
    found = {name: fields[column.strip()] for name, column in renames.items() if column.strip() in fields}
    taken = {column.strip() for column in renames.values()}
    return {name: value for name, value in fields.items() if name not in taken and name not in found} | found


def need(named: Mapping[str, Iterable[str]], known: Iterable[str], where: str) -> None:
    """See to it that the columns which options name are there.

    Args:
        named: The columns by the option that names them.
        known: The columns that there are.
        where: Whose options they are, or the file.

    Raises:
        DataError: Some are not; it names each, with the nearest that is there.

    Example:
        >>> need({"by": ["flght"]}, ["flight", "gate"], "reconcile")
        Traceback (most recent call last):
        tuneloop.errors.DataError: no row has the column 'flght' that `by` names; there are flight, gate
          where: reconcile
          fix:   did you mean 'flight'?
    """
    known = list(dict.fromkeys(known))
    shown = ", ".join(known[:12]) + (", ..." if len(known) > 12 else "")
    problems = [
        Problem(
            f"no row has the column {name!r} that `{option}` names; there are {shown}",
            where,
            _meant(name, known),
        )
        for option, names in named.items()
        for name in dict.fromkeys(names)
        if name not in known
    ]
    if problems:
        error = DataError(problems[0].what, where=where, fix=problems[0].fix)
        error.problems = tuple(problems)
        raise error


def _meant(name: str, known: list[str]) -> str:
    lower = {each.lower(): each for each in reversed(known)}
    close = difflib.get_close_matches(name.lower().strip(), lower, 1)
    return f"did you mean {lower[close[0]]!r}?" if close else "name one of the columns that are there"


def without_nulls(value: Any) -> Any:
    """A value of a table without null entries in its objects: tables fill in every key that any row has."""
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [without_nulls(item) for item in value]
    return value


def unusable(row: Any) -> str:
    r"""Why a row, or a value in it, cannot be kept at all; empty if they can.

    Example:
        >>> unusable({"text": "half \ud83d"})
        'holds half a character (a lone surrogate)'
    """
    try:
        msgspec.json.encode(row)
    except UnicodeEncodeError:
        return "holds half a character (a lone surrogate)"
    except RecursionError:
        return "nested too deeply"
    except (TypeError, ValueError, OverflowError):
        return "holds a value that is no text, number, list or object"
    return ""


def refuse_media(row: Mapping[str, Any]) -> None:
    """Set a row aside that holds images, audio or video.

    Raises:
        RecordError: It does.

    Example:
        >>> refuse_media({"text": "who?", "images": ["1.jpg"]})
        Traceback (most recent call last):
        tuneloop.errors.RecordError: the row holds media, and only text can be learned from so far
          where: images
          fix:   take the row out, or keep its text alone
    """
    name = next((name for name in MEDIA if row.get(name)), None) or next(
        (name for name, value in row.items() if isinstance(value, str) and _TAG.search(value)), None
    )
    if name is not None:
        raise RecordError(MEDIA_REASON, where=name, fix="take the row out, or keep its text alone")


def excerpt(value: Any, size: int = 240) -> str:
    """The beginning of a row as JSON, for people to recognise it."""
    try:
        text = msgspec.json.encode(value).decode()
    except (UnicodeEncodeError, RecursionError, TypeError, ValueError, OverflowError):
        text = ascii(value)[: 4 * size]
    return text if len(text) <= size else text[: size - 3] + "..."
