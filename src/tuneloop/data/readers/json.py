"""JSON: a list of objects, an object that holds the list, or objects one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, final

from tuneloop.data.decoding import Line, lines
from tuneloop.data.readers import Raw, Reader
from tuneloop.data.scanning import Broken, Scanner
from tuneloop.errors import DataError

LONGEST = 1 << 20
"""Bytes after which a line is read in pieces."""
HOLDERS = ("data", "rows", "train", "examples", "records", "instances", "items", "samples")
"""Keys under which a top-level object may hold the list of rows."""


@final
class Json(Reader):
    """Reads the objects of a JSON file: a list, a list inside one object, JSON lines, or objects in a row."""

    endings = (".json",)

    def rows(self, path: Path) -> Iterator[Raw]:
        """Give each object with the line it begins on."""
        scanner = Scanner(lines(path, LONGEST))
        if scanner.peek() == "{":
            line = scanner.line
            first = _take(scanner, "")
            if not first.problem and scanner.peek() == "":
                yield from self._alone(path, first, line, scanner.text)
                return
            yield first
            key = next(iter(first.row or ()), "")
        else:
            key = ""
        yield from _rest(scanner, key)

    def _alone(self, path: Path, raw: Raw, line: int, text: str) -> Iterator[Raw]:
        """A file that is one single object: a wrapper around the list, one row, or no data at all."""
        row = raw.row or {}
        holder = next((key for key in HOLDERS if _is_rows(row.get(key))), None)
        if holder is not None:
            scanner = Scanner(Line(line + i, part) for i, part in enumerate(text.split("\n")))
            scanner.line = line
            _enter(scanner, holder)
            yield from _list(scanner, "")
        elif row and all(isinstance(value, dict) for value in row.values()):
            raise _no_rows(path, row)
        else:
            yield raw


def _rest(scanner: Scanner, key: str) -> Iterator[Raw]:
    """The values up to the end of the text; lists at the top are opened."""
    while mark := scanner.peek():
        if mark == ",":
            scanner.skip()
        elif mark == "[":
            scanner.skip()
            yield from _list(scanner, key)
        else:
            raw = _take(scanner, key)
            yield raw
            key = next(iter(raw.row or ()), key)


def _list(scanner: Scanner, key: str) -> Iterator[Raw]:
    """The values of a list whose opening bracket was passed."""
    while mark := scanner.peek():
        if mark == "]":
            scanner.skip()
            return
        if mark == ",":
            scanner.skip()
            continue
        raw = _take(scanner, key)
        yield raw
        key = next(iter(raw.row or ()), key)
    yield Raw(scanner.line, None, "the file ends before its list does: rows are missing")


def _take(scanner: Scanner, key: str) -> Raw:
    line = scanner.line
    try:
        value = scanner.value()
    except Broken as error:
        scanner.resume(key)
        return Raw(line, None, str(error), detail=error.detail)
    if scanner.problem:
        return Raw(line, None, scanner.problem)
    if not isinstance(value, dict):
        return Raw(line, None, f"a row must be a JSON object, this is a {type(value).__name__}")
    return Raw(line, value, "", scanner.repair)


def _enter(scanner: Scanner, holder: str) -> None:
    """Go to the first element of the list that an object holds under a key; the object is known to be sound."""
    scanner.peek()
    scanner.skip()
    while True:
        scanner.peek()
        key = scanner.value()
        scanner.peek()
        scanner.skip()
        scanner.peek()
        if key == holder:
            scanner.skip()
            return
        scanner.value()
        scanner.peek()
        scanner.skip()


def _is_rows(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def _no_rows(path: Path, row: dict[str, Any]) -> DataError:
    """Why an object of objects is no list of rows, and what to do about it."""
    first = next(iter(row.values()))
    if {"file_name", "hf_hub_url", "ms_hub_url", "script_url", "features", "splits"} & first.keys():
        return DataError(
            f"the file describes {len(row)} data sets ({', '.join(list(row)[:3])}, ...) and holds no rows itself",
            where=str(path),
            fix="name the files that hold the rows in data.sources",
        )
    return DataError(
        f"the file is one object of objects ({', '.join(list(row)[:3])}, ...), not a list of rows",
        where=str(path),
        fix="write a list of objects; from pandas: to_json(path, orient='records', lines=True)",
    )
