"""Records as Parquet that pandas, ``datasets.load_dataset`` and DuckDB open without tuneloop.

The columns are chosen by what the split holds: ``messages`` (list of role and content) for chats, ``text`` for
text and labeled rows, ``label``, ``prompt``/``chosen``/``rejected`` for preferences; besides them ``id``,
``origin``, ``meta`` (JSON) and ``record``: the exact record as JSON, which is what tuneloop reads back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from tuneloop.rows import Chat, Labeled, Message, Preference, Record, Text

BATCH = 4096


class RecordWriter:
    """Writes records to a Parquet file as they come, a row group at a time; use it with ``with``.

    Args:
        path: The file to write.

    Attributes:
        count: How many records were added.
    """

    def __init__(self, path: Path) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._schema = _schema(pa)
        self._table = pa.Table
        self._writer = pq.ParquetWriter(path, self._schema, compression="zstd")
        self._rows: list[dict[str, Any]] = []
        self.count = 0

    def __enter__(self) -> RecordWriter:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def add(self, record: Record) -> None:
        """Add one record."""
        self._rows.append(_row(record))
        self.count += 1
        if len(self._rows) == BATCH:
            self._flush()

    def close(self) -> None:
        """Write what is still held, and the file's end."""
        if self._rows:
            self._flush()
        self._writer.close()

    def _flush(self) -> None:
        self._writer.write_table(self._table.from_pylist(self._rows, schema=self._schema))
        self._rows = []


def write_records(path: Path, records: Iterable[Record]) -> int:
    """Write records to a Parquet file, a row group at a time.

    Returns:
        How many rows were written.
    """
    with RecordWriter(path) as writer:
        for record in records:
            writer.add(record)
    return writer.count


def read_records(path: Path) -> Iterator[Record]:
    """Read the records back, in stored order."""
    import pyarrow.parquet as pq

    decoder = msgspec.json.Decoder(Record)
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=BATCH, columns=["record"]):
            for value in batch.column(0):
                yield decoder.decode(value.as_py())


def _schema(pa: Any) -> Any:
    turn = pa.struct([("role", pa.string()), ("content", pa.string())])
    return pa.schema(
        [
            ("id", pa.string()),
            ("kind", pa.string()),
            ("messages", pa.list_(turn)),
            ("text", pa.string()),
            ("label", pa.string()),
            ("prompt", pa.list_(turn)),
            ("chosen", pa.list_(turn)),
            ("rejected", pa.list_(turn)),
            ("origin", pa.string()),
            ("meta", pa.string()),
            ("record", pa.string()),
        ]
    )


def _row(record: Record) -> dict[str, Any]:
    content = record.content
    row: dict[str, Any] = {
        "id": record.id,
        "kind": type(content).__name__.lower(),
        "origin": record.origin,
        "meta": msgspec.json.encode(record.meta).decode(),
        "record": msgspec.json.encode(record).decode(),
    }
    if isinstance(content, Chat):
        row["messages"] = _turns(content.messages)
    elif isinstance(content, Text):
        row["text"] = content.text
    elif isinstance(content, Labeled):
        row["text"], row["label"] = content.text, str(content.label)
    elif isinstance(content, Preference):
        row["prompt"], row["chosen"], row["rejected"] = map(_turns, (content.prompt, content.chosen, content.rejected))
    return row


def _turns(messages: tuple[Message, ...]) -> list[dict[str, str]]:
    return [{"role": message.role, "content": message.content} for message in messages]
