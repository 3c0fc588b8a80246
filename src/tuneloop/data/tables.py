"""Rows of delimited text: a header, then one row after the other, a broken one never taking others with it."""

from __future__ import annotations

import csv
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence

from tuneloop.data.decoding import NO_UTF8, Line
from tuneloop.data.readers import Raw
from tuneloop.errors import DataError

LONGEST = 1 << 20
"""Characters of the longest row: a quotation mark that is still open after these was never meant to open one."""


def rows(
    lines: Iterable[Line], *, delimiter: str | None, quotes: bool, names: Sequence[str], where: str
) -> Iterator[Raw]:
    """Read the rows of delimited text.

    Args:
        lines: The lines of the file.
        delimiter: What stands between cells; None finds it in the header.
        quotes: Whether a cell may be quoted, and so hold delimiters and line ends.
        names: The columns of a file without a header; empty where the first line holds them.
        where: The file, for messages.

    Yields:
        One row of cells by column name for each line (or lines, where a quoted cell spans several); empty lines
        are no rows.

    Raises:
        DataError: The header cannot be read.
    """
    feed = _Feed(lines)
    columns = names
    twice = ""
    found = delimiter or ""
    for first, cells, problem, detail, repair in _cells(feed, found, quotes):
        if not columns:
            if problem == NO_UTF8 or "\0" in "".join(cells):
                raise DataError(
                    "the file is no text, or in an encoding that is not known",
                    where=where,
                    fix="save it as CSV in UTF-8; a file of a spreadsheet, too",
                )
            if problem:
                raise DataError(
                    f"the header cannot be read: {problem} {detail}".rstrip(),
                    where=f"{where}:{first}",
                    fix="mend that line",
                )
            columns = header(cells)
            twice = _twice(cells, columns)
            continue
        if not problem and len(cells) != len(columns):
            problem = "the row has more or fewer cells than the header"
            detail = f"{len(cells)} cells, the header {len(columns)}"
        if not problem and not any(cell.strip() for cell in cells):
            problem = "all cells are empty"
        yield Raw(
            first, None if problem else dict(zip(columns, cells, strict=True)), problem, repair or twice, detail=detail
        )


def header(cells: list[str]) -> list[str]:
    """Make column names of the cells of a header: blanks around them go, a repeated one gets a number.

    Example:
        >>> header([" text ", "label", "label"])
        ['text', 'label', 'label.2']
    """
    seen: Counter[str] = Counter()
    columns = []
    for cell in cells:
        name = cell.strip()
        seen[name] += 1
        columns.append(name if seen[name] == 1 else f"{name}.{seen[name]}")
    return columns


def _twice(cells: list[str], columns: list[str]) -> str:
    """What is said of columns that the header names twice; empty if there are none."""
    renamed = [
        f"{cell.strip()!r} to {name!r}" for cell, name in zip(cells, columns, strict=True) if cell.strip() != name
    ]
    return f"a column name stands twice: renamed {', '.join(renamed)}" if renamed else ""


def delimiter_of(line: str) -> str:
    """Find what stands between the cells of a header: the most frequent of comma, semicolon, tab and bar.

    Example:
        >>> delimiter_of("text;label;a,b")
        ';'
    """
    return max(",;\t|", key=line.count)


class _Feed:
    """Lines for the csv module that can be put back when a row turns out to be broken."""

    def __init__(self, lines: Iterable[Line]) -> None:
        self._lines = iter(lines)
        self._back: deque[Line] = deque()
        self.taken: list[Line] = []
        self._size = 0

    def next(self) -> Line | None:
        return self._back.popleft() if self._back else next(self._lines, None)

    def put_back(self, lines: list[Line]) -> None:
        self._back.extendleft(reversed(lines))

    def row(self) -> None:
        self.taken = []
        self._size = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self.next()
        if line is None or self._size > LONGEST:
            if line is not None:
                self.put_back([line])
            raise StopIteration
        self.taken.append(line)
        self._size += len(line.text)
        return line.text + "\n"


def _cells(feed: _Feed, delimiter: str, quotes: bool) -> Iterator[tuple[int, list[str], str, str, str]]:
    """The cells of each row with its line, its problem, the problem's detail and its repair."""
    while (line := feed.next()) is not None:
        if not line.text.strip():
            continue
        delimiter = delimiter or delimiter_of(line.text)
        if not quotes:
            yield line.number, line.text.split(delimiter), line.problem, "", line.repair
            continue
        feed.put_back([line])
        feed.row()
        csv.field_size_limit(2 * LONGEST)
        problem = detail = ""
        cells: list[str] = []
        try:
            cells = next(csv.reader(feed, delimiter=delimiter, strict=True))
        except csv.Error as error:
            problem, detail = "a quotation mark is out of place", str(error)
            feed.put_back(feed.taken[1:])
            feed.taken = feed.taken[:1]
        problem = problem or next((taken.problem for taken in feed.taken if taken.problem), "")
        repair = next((taken.repair for taken in feed.taken if taken.repair), "")
        yield line.number, cells, problem, detail, repair
