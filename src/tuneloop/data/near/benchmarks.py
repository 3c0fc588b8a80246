"""Benchmarks: files of questions that a model will be judged by, read whatever their columns are."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tuneloop.data.files import File, files
from tuneloop.data.section import Source

_LABEL = re.compile(r"^[ \t]*[(（]?[A-Ha-h][)）.．、:：][ \t]*", re.MULTILINE)


class Item(NamedTuple):
    """A text of a benchmark and where it stands."""

    origin: str
    text: str


def benchmark_files(paths: Sequence[str], folder: Path) -> list[File]:
    """The files behind paths: files, folders and globs, relative to a folder.

    Raises:
        DataError: One of them is not there or holds no rows.
    """
    found = {file.path: file for path in paths for file in files(Source(path=path), folder)[0]}
    return list(found.values())


def items(found: Sequence[File], tally: Counter[str]) -> Iterator[Item]:
    """Every text of every row: each cell that is one, and all of them together, as a question with its choices is.

    Args:
        found: The files.
        tally: Counts ``benchmark rows`` and ``benchmark rows that cannot be read``.

    Raises:
        DataError: A file as a whole cannot be read.
    """
    for file in found:
        mark = ":" if file.reader.counts == "lines" else "#"
        for raw in file.reader.rows(file.path):
            if raw.row is None:
                tally["benchmark rows that cannot be read"] += 1
                continue
            tally["benchmark rows"] += 1
            cells = [text for text in _texts(raw.row) if text.strip()]
            for text in dict.fromkeys([*cells, "\n".join(cells)]):
                yield Item(f"{file.name}{mark}{raw.line}", text)


def without_labels(text: str) -> str:
    r"""A question without the letters of its choices, which are a column of their own elsewhere.

    Example:
        >>> without_labels("Which?\nA. this\n(B) that")
        'Which?\nthis\nthat'
    """
    return _LABEL.sub("", text)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner)
