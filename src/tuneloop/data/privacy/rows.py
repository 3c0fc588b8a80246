"""Every text of a row, wherever it stands: turns, tool calls and their arguments, labels, names, other columns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import msgspec

from tuneloop.rows import Record
from tuneloop.rows.record import digest

Change: TypeAlias = Callable[[str, str], str]
"""Gives a text anew, from the text and the name it goes by where it stands (empty where it has none)."""
_SETTINGS = "parameters"
_LONG = 10**6


def scrubbed(record: Record, change: Change) -> Record:
    """The record with every text in its content and its ``meta`` changed; its origin stays.

    Keys of objects are texts too, and so are whole numbers from 7 digits on (a telephone number in a column of
    numbers); a number that changes becomes a text. Roles and numbers among the generation settings are never changed.

    Args:
        record: The record.
        change: How a text is changed.

    Returns:
        The same record where nothing changed.

    Example:
        >>> from tuneloop.rows import Text
        >>> row = Record.of(Text("hi"), origin="a:1", meta={"other": {"by": ["ann"]}})
        >>> scrubbed(row, lambda text, called: text.upper()).meta
        {'OTHER': {'BY': ['ANN']}}
    """
    content = _changed(record.content, change, "", numbers=True)
    meta = _changed(record.meta, change, "", numbers=True) if record.meta else record.meta
    if content is record.content and meta is record.meta:
        return record
    return Record(record.id if content is record.content else digest(content), content, record.origin, meta)


def _changed(value: Any, change: Change, called: str, *, numbers: bool) -> Any:
    """A value with its texts changed; the very same value where none was."""
    if isinstance(value, str):
        made = change(value, called)
        return value if made == value else made
    if isinstance(value, msgspec.Struct):
        return _struct(value, change, numbers=numbers)
    if isinstance(value, dict):
        return _object(value, change, numbers=numbers)
    if isinstance(value, list | tuple):
        items = [_changed(item, change, called, numbers=numbers) for item in value]
        same = all(made is item for made, item in zip(items, value, strict=True))
        return value if same else type(value)(items)
    return _number(value, change, called) if numbers else value


def _struct(value: msgspec.Struct, change: Change, *, numbers: bool) -> msgspec.Struct:
    new = {}
    for name in value.__struct_fields__:
        old = getattr(value, name)
        if name == "role" or not old:
            continue
        made = _changed(old, change, "", numbers=numbers and name != _SETTINGS)
        if made is not old:
            new[name] = made
    return msgspec.structs.replace(value, **new) if new else value


def _object(value: dict[Any, Any], change: Change, *, numbers: bool) -> dict[Any, Any]:
    made: dict[Any, Any] = {}
    same = True
    for key, old in value.items():
        name = change(key, "") if isinstance(key, str) else key
        new = _changed(old, change, key if isinstance(key, str) else "", numbers=numbers)
        same = same and name == key and new is old
        made[_free(name, made)] = new
    return value if same else made


def _free(name: Any, taken: dict[Any, Any]) -> Any:
    """The name, with a number where it is taken: two keys that read alike now must not become one."""
    free, count = name, 1
    while free in taken:
        count += 1
        free = f"{name} ({count})"
    return free


def _number(value: Any, change: Change, called: str) -> Any:
    """A whole number as its digits, where those are changed as a text; else the number itself."""
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) < _LONG or value != value // 1:
        return value
    text = str(int(value))
    made = change(text, called)
    return value if made == text else made
