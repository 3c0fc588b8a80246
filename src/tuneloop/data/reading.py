"""From the files of a source to records: read, recognised, and every row that is not one set aside."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import Any

import msgspec

from tuneloop.data.columns import excerpt, refuse_media, tidy, unusable
from tuneloop.data.files import File
from tuneloop.data.formats import Format
from tuneloop.data.ledger import SAMPLES, FileCounts
from tuneloop.data.readers import Raw
from tuneloop.data.recognise import LOOK, Verdict, recognise
from tuneloop.data.section import Source
from tuneloop.errors import DataError, RecordError
from tuneloop.rows import Content, Drop, Record

PATIENCE = 10
"""So many times the rows looked at are read in search of rows that can be looked at."""


def records(source: Source, file: File, counts: FileCounts, limit: int | None) -> Iterator[Record | Drop]:
    """Give every row of a file as a record, or as a drop with the reason.

    Args:
        source: The source that the file belongs to.
        file: The file.
        counts: Where the file's rows are counted; its verdict stands before the first row is given.
        limit: How many rows to take at most; None takes all.

    Raises:
        DataError: The file cannot be read, or no format fits its rows.
    """
    raws = ((origin, _sound(raw, source)) for origin, raw in _placed(file, islice(file.reader.rows(file.path), limit)))
    head: list[tuple[str, Raw]] = []
    looked: list[dict[str, Any]] = []
    for origin, raw in raws:
        head.append((origin, raw))
        if raw.row:
            looked.append(raw.row)
        if len(looked) == LOOK or len(head) == LOOK * PATIENCE:
            break
    if not looked:
        raise _unreadable(file, head)
    _check_columns(source, looked, file.name)
    counts.verdict = recognise(looked, source.format, file.name)
    understood = filter(None, (_understood(row, counts.verdict) for row in looked))
    counts.samples = [excerpt(content) for content in islice(understood, SAMPLES)]
    for origin, raw in chain(head, raws):
        counts.read += 1
        item = _item(raw, origin, counts.verdict, source, counts)
        counts.taken += isinstance(item, Record)
        yield item


def _placed(file: File, raws: Iterable[Raw]) -> Iterator[tuple[str, Raw]]:
    """Give each row its origin, which no other row has: several rows on one line are counted behind it."""
    mark = ":" if file.reader.counts == "lines" else "#"
    last, times = 0, 0
    for raw in raws:
        times = times + 1 if raw.line == last else 1
        last = raw.line
        yield f"{file.name}{mark}{raw.line}" + (f"#{times}" if times > 1 else ""), raw


def _sound(raw: Raw, source: Source) -> Raw:
    """The row with its columns renamed, or the reason why its values cannot be kept."""
    if raw.row is None:
        return raw
    row = tidy(raw.row, source.columns)
    problem = unusable(row) or ("" if row else "the row has no fields")
    return raw._replace(row=None if problem else row, problem=problem)


def _item(raw: Raw, origin: str, verdict: Verdict, source: Source, counts: FileCounts) -> Record | Drop:
    """One row as a record, or why it is none."""
    row = raw.row
    if row is None:
        return Drop(raw.problem, "read", origin)
    format = verdict.of(row)
    try:
        content = _content(row, format)
    except RecordError as error:
        return Drop(error.problems[0].what, "format", origin, excerpt(row))
    counts.formats[format.name] += 1
    if raw.repair:
        counts.repaired[raw.repair] += 1
    meta: dict[str, Any] = {"licence": source.licence} if source.licence else {}
    other = {name: msgspec.to_builtins(value) for name, value in row.items() if name not in format.fields}
    if other:
        meta["other"] = other
    return Record.of(content, origin=origin, meta=meta)


def _content(row: dict[str, Any], format: Format) -> Content:
    refuse_media(row)
    return format.content(row)


def _understood(row: dict[str, Any], verdict: Verdict) -> Content | None:
    try:
        return _content(row, verdict.of(row))
    except RecordError:
        return None


def _unreadable(file: File, head: list[tuple[str, Raw]]) -> DataError:
    if not head:
        return DataError("the file has no rows", where=file.name, fix="take it out of data.sources, or fill it")
    reasons = dict.fromkeys(raw.problem for _, raw in head)
    return DataError(
        f"none of its first {len(head)} rows can be read: {'; '.join(list(reasons)[:3])}",
        where=head[0][0],
        fix="mend the file, or say how it is read (reader: in the source)",
    )


def _check_columns(source: Source, rows: list[dict[str, Any]], where: str) -> None:
    keys = list(dict.fromkeys(key for row in rows for key in row))
    for name, column in source.columns.items():
        if name not in keys:
            close = difflib.get_close_matches(column, keys, 1)
            raise DataError(
                f"no row has the column {column!r} that columns: gives for {name!r}; there are {', '.join(keys[:12])}",
                where=where,
                fix=f"did you mean {close[0]!r}?" if close else "name one of the columns that are there",
            )
