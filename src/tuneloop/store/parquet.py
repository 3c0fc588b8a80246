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


def write_records(path: Path, records: Iterable[Record]) -> int:
    """Write records to a Parquet file, a row group at a time.

    Returns:
        How many rows were written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = _schema(pa)
    count = 0
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        rows: list[dict[str, Any]] = []
        for record in records:
            rows.append(_row(record))
            count += 1
            if len(rows) == BATCH:
                writer.write_table(pa.Table.from_pylist(rows, schema=schema))
                rows = []
        if rows:
            writer.write_table(pa.Table.from_pylist(rows, schema=schema))
    return count


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
