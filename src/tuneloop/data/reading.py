"""From the files of a source to records: read, recognised, and every row that is not one set aside."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, cast

import msgspec

from tuneloop.data.columns import need, refuse_media, tidy, unusable
from tuneloop.data.decoding import Block, blocks
from tuneloop.data.files import File
from tuneloop.data.formats import Format
from tuneloop.data.hiding import Hider
from tuneloop.data.ledger import SAMPLES, FileCounts
from tuneloop.data.readers import LineReader, Raw
from tuneloop.data.recognise import LOOK, Verdict, recognise
from tuneloop.data.section import Source
from tuneloop.errors import DataError, RecordError
from tuneloop.rows import Content, Drop, Record

PATIENCE = 10
"""So many times the rows looked at are read in search of rows that can be looked at."""
ROWS = 512
"""Most rows of a chunk."""
CHARACTERS = 1 << 20
"""Characters after which a chunk is closed, however few its rows are."""


@dataclass(frozen=True)
class Chunk:
    """Some rows of one file: each with its origin, or as a block of lines that nobody has read yet.

    Attributes:
        source: The source that the file belongs to.
        file: The file.
        verdict: Its format.
        rows: The rows.
    """

    source: Source
    file: File
    verdict: Verdict
    rows: list[tuple[str, Raw]] | Block

    def items(self, counts: FileCounts, hider: Hider) -> Iterator[Record | Drop]:
        """Every row as a record, or as a drop with the reason.

        Args:
            counts: Where the rows are counted.
            hider: What must not be seen of a row that is set aside.
        """
        for origin, raw in self._read():
            counts.read += 1
            item = _item(raw, origin, self.verdict, self.source, counts, hider)
            counts.taken += isinstance(item, Record)
            yield item

    def _read(self) -> Iterable[tuple[str, Raw]]:
        if not isinstance(self.rows, Block):
            return self.rows
        reader = cast(LineReader, self.file.reader)  # no other file is cut into blocks of lines
        return _placed(self.source, self.file, reader.within(self.rows))


def chunks(
    source: Source, file: File, counts: FileCounts, limit: int | None = None, hider: Hider | None = None
) -> Iterator[Chunk]:
    """Give the rows of a file in chunks, in order.

    Args:
        source: The source that the file belongs to.
        file: The file.
        counts: Takes the file's verdict and three rows as they were understood, before the first chunk is given.
        limit: How many rows to take at most; None takes all.
        hider: What must not be seen of the rows that are shown.

    Raises:
        DataError: The file cannot be read, or no format fits its rows.
    """
    hider = hider or Hider()
    raws = _placed(source, file, islice(file.reader.rows(file.path), limit))
    head: list[tuple[str, Raw]] = []
    looked: list[dict[str, Any]] = []
    for origin, raw in raws:
        head.append((origin, raw))
        if raw.row:
            looked.append(raw.row)
        if len(looked) == LOOK or len(head) == LOOK * PATIENCE:
            break
    try:
        if not looked:
            raise _unreadable(file, head)
        _check_columns(source, looked, file)
        verdict = recognise(looked, source.format, file.name, table=file.reader.tabular)
    except DataError as error:
        raise hider.error(error) from None
    counts.verdict = verdict
    understood = filter(None, (_understood(row, verdict) for row in looked))
    counts.samples = [hider.excerpt(content) for content in islice(understood, SAMPLES)]
    if isinstance(file.reader, LineReader) and limit is None:
        pieces: Iterable[list[tuple[str, Raw]] | Block] = blocks(file.path)
    else:
        pieces = _batches(chain(head, raws))
    for piece in pieces:
        yield Chunk(source, file, verdict, piece)


def _placed(source: Source, file: File, raws: Iterable[Raw]) -> Iterator[tuple[str, Raw]]:
    """Give each row its origin, which no other row has (several on one line are counted); its columns are renamed."""
    mark = f"{file.name}{':' if file.reader.counts == 'lines' else '#'}"
    last, times = 0, 0
    for raw in raws:
        times = times + 1 if raw.line == last else 1
        last = raw.line
        place = raw.place or str(raw.line)
        yield f"{mark}{place}" + (f"#{times}" if times > 1 else ""), _sound(raw, source)


def _batches(rows: Iterable[tuple[str, Raw]]) -> Iterator[list[tuple[str, Raw]]]:
    batch: list[tuple[str, Raw]] = []
    size = 0
    for row in rows:
        batch.append(row)
        size += _size(row[1].row)
        if len(batch) == ROWS or size > CHARACTERS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _size(value: Any) -> int:
    """Characters of all texts in a value, about."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return sum(map(_size, value.values()))
    return sum(map(_size, value)) if isinstance(value, list) else 8


def _sound(raw: Raw, source: Source) -> Raw:
    """The row with its columns renamed, or the reason why its values cannot be kept."""
    if raw.row is None:
        return raw
    row = tidy(raw.row, source.columns)
    problem = unusable(row) or ("" if row else "the row has no fields")
    return raw._replace(row=None if problem else row, problem=problem)


def _item(raw: Raw, origin: str, verdict: Verdict, source: Source, counts: FileCounts, hider: Hider) -> Record | Drop:
    """One row as a record, or why it is none."""
    row = raw.row
    if row is None:
        return hider.drop(Drop(raw.problem, "read", origin, raw.detail))
    format = verdict.of(row)
    try:
        content = _content(row, format)
    except RecordError as error:
        problem = error.problems[0]
        detail = f"{hider.text(problem.where)}: {hider.excerpt(row)}"
        return Drop(hider.reason(problem.what), "format", origin, detail)
    counts.formats[format.name] += 1
    if raw.repair:
        counts.repaired[raw.repair] += 1
    meta: dict[str, Any] = {"licence": source.licence} if source.licence else {}
    other = {name: msgspec.to_builtins(value) for name, value in row.items() if not format.reads(name)}
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
    reasons = dict.fromkeys(f"{raw.problem}: {raw.detail}" if raw.detail else raw.problem for _, raw in head)
    return DataError(
        f"none of its first {len(head)} rows can be read: {'; '.join(list(reasons)[:3])}",
        where=head[0][0],
        fix="mend the file, or say how it is read (reader: in the source)",
    )


def _check_columns(source: Source, rows: list[dict[str, Any]], file: File) -> None:
    keys = list(dict.fromkeys(key for row in rows for key in row))
    lost = {f"columns: {name}": [column] for name, column in source.columns.items() if name not in keys}
    need(lost, keys, file.name)
    if source.format is not None:
        need(source.format.named(), keys, file.name)
