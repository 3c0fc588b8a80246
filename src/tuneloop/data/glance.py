"""A glance: what a dataset version holds, or what a source seems to hold, without reading it whole."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from tuneloop.data.files import files as find_files
from tuneloop.data.hiding import Hider
from tuneloop.data.ledger import FileCounts
from tuneloop.data.reading import chunks
from tuneloop.data.recognise import LOOK
from tuneloop.data.section import Source
from tuneloop.errors import DataError
from tuneloop.rows import Content, Record
from tuneloop.store import Dataset


def glance(dataset: Dataset, *, rows: int = 3) -> dict[str, Any]:
    """Say what a dataset holds.

    Args:
        dataset: The dataset.
        rows: How many rows of each split to give.

    Returns:
        ``splits`` (rows of each), ``kinds``, ``read``, ``dropped`` (rows by reason, the most frequent first) and
        ``samples`` (the first records of each split).
    """
    report = dataset.report
    samples: dict[str, list[Record]] = {split: list(islice(dataset.records(split), rows)) for split in dataset.splits}
    return {
        "splits": report["splits"],
        "kinds": report["kinds"],
        "read": report["rows"]["read"],
        "dropped": {entry["reason"]: entry["rows"] for entry in report["dropped"]},
        "samples": samples,
    }


class Looked(NamedTuple):
    """The first rows of a file.

    Attributes:
        counts: Its ``name``, the ``verdict`` on it, and three ``samples`` of rows as they were understood.
        kinds: How many of them are ``chat``, ``text``, ``preference`` or ``labeled``.
    """

    counts: FileCounts
    kinds: Counter[str]


def kind_of(content: Content) -> str:
    """Name the kind of a content as reports do.

    Example:
        >>> from tuneloop.rows import Text
        >>> kind_of(Text("to be"))
        'text'
    """
    return type(content).__name__.lower()


def look(source: Source, folder: Path, *, files: int = 5, passed_over: dict[str, str] | None = None) -> list[Looked]:
    """Look at the first rows of a source and say what they are taken for, without preparing anything.

    Args:
        source: The source.
        folder: The folder that its path starts from.
        files: How many of its files to look at.
        passed_over: Takes the files of a folder that hold no rows that can be used, each with the reason.

    Returns:
        What was seen of each file.

    Raises:
        DataError: A file cannot be read, or no format fits its rows; of a folder, all of them.
    """
    looked: list[Looked] = []
    passed_over = {} if passed_over is None else passed_over
    first: DataError | None = None
    for file in find_files(source, folder)[0]:
        if len(looked) == files:
            break
        counts = FileCounts(file.name, "")
        try:
            items = [item for chunk in chunks(source, file, counts, LOOK) for item in chunk.items(counts, Hider())]
        except DataError as error:
            if not file.found or counts.verdict is not None:
                raise
            passed_over[file.name] = error.problems[0].what
            first = first or error
            continue
        looked.append(Looked(counts, Counter(kind_of(item.content) for item in items if isinstance(item, Record))))
    if first is not None and not looked:
        raise first
    return looked


def rows_of(source: Source, folder: Path) -> list[Record]:
    """Read all rows of a source as they stand, in order, each once.

    Args:
        source: The source.
        folder: The folder that its path starts from.

    Raises:
        DataError: A file cannot be read, no format fits its rows, or one of them cannot be used.
    """
    found: dict[str, Record] = {}
    for file in find_files(source, folder)[0]:
        counts = FileCounts(file.name, "")
        for chunk in chunks(source, file, counts):
            for item in chunk.items(counts, Hider()):
                if not isinstance(item, Record):
                    raise DataError(
                        f"a row cannot be used: {item.reason}", where=item.origin, fix="mend it, or take it out"
                    )
                found[item.id] = item
    return list(found.values())
