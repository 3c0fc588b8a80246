"""Records as Parquet that pandas, ``datasets.load_dataset`` and DuckDB open without tuneloop.

The columns are chosen by what the split holds: ``messages`` (list of role and content) for chats, ``text`` for
text and labeled rows, ``label``, ``prompt``/``chosen``/``rejected`` for preferences, ``fields`` (JSON) and ``label``
for rows of tables; besides them ``id``, ``origin``, ``meta`` (JSON) and ``record``: the exact record as JSON, which
is what tuneloop reads back.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

import msgspec

from tuneloop.rows import Chat, Content, Fields, Labeled, Message, Preference, Record, Text

BATCH = 4096
"""Rows of a row group."""
HEAVY = 64 << 20
"""Bytes of rows after which a row group is closed, however few they are."""
SIMILAR = ["kind", "messages.list.element.role", "prompt.list.element.role", "chosen.list.element.role", "label"]
"""Columns with few different values, for which a dictionary pays."""

_encode = msgspec.json.Encoder().encode


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
        self._writer = pq.ParquetWriter(path, self._schema, compression="zstd", use_dictionary=SIMILAR)
        self._records: list[Record] = []
        self._exact: list[bytes] = []
        self._size = 0
        self.count = 0

    def __enter__(self) -> RecordWriter:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def add(self, record: Record) -> None:
        """Add one record."""
        exact = _encode(record)
        self._records.append(record)
        self._exact.append(exact)
        self._size += len(exact)
        self.count += 1
        if len(self._records) == BATCH or self._size > HEAVY:
            self._flush()

    def close(self) -> None:
        """Write what is still held, and the file's end."""
        if self._records:
            self._flush()
        self._writer.close()

    def _flush(self) -> None:
        self._writer.write_table(_table(self._schema, self._records, self._exact))
        self._records, self._exact, self._size = [], [], 0


def write_records(path: Path, records: Iterable[Record]) -> int:
    """Write records to a Parquet file, a row group at a time.

    Returns:
        How many rows were written.
    """
    with RecordWriter(path) as writer:
        for record in records:
            writer.add(record)
    return writer.count


def row_groups(path: Path) -> int:
    """How many row groups a file of records has."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        return int(file.num_row_groups)


def read_records(path: Path, group: int | None = None) -> Iterator[Record]:
    """Read the records back, in stored order.

    Args:
        path: The file.
        group: The row group to read; None reads all.
    """
    import pyarrow.parquet as pq

    decode = msgspec.json.Decoder(Record).decode
    with pq.ParquetFile(path) as file:
        groups = None if group is None else [group]
        for batch in file.iter_batches(batch_size=BATCH, columns=["record"], row_groups=groups):
            for value in batch.column(0).to_pylist():
                yield decode(value)


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
            ("fields", pa.string()),
            ("origin", pa.string()),
            ("meta", pa.string()),
            ("record", pa.string()),
        ]
    )


def _table(schema: Any, records: list[Record], exact: list[bytes]) -> Any:
    """The records as a table, column by column: many times faster than row by row."""
    import pyarrow as pa

    contents = [record.content for record in records]
    columns: dict[str, list[Any]] = {
        "id": [record.id for record in records],
        "kind": [type(content).__name__.lower() for content in contents],
        "messages": [content.messages if isinstance(content, Chat) else None for content in contents],
        "text": [content.text if isinstance(content, Text | Labeled) else None for content in contents],
        "label": [_label(content) for content in contents],
        "fields": [_encode(content.values) if isinstance(content, Fields) else None for content in contents],
        "origin": [record.origin for record in records],
        "meta": [_encode(record.meta) for record in records],
        "record": exact,
    }
    for name in ("prompt", "chosen", "rejected"):
        columns[name] = [getattr(content, name) if isinstance(content, Preference) else None for content in contents]
    arrays = [
        _turns(pa, columns[field.name], field.type)
        if pa.types.is_list(field.type)
        else _strings(pa, columns[field.name])
        for field in schema
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def _label(content: Content) -> str | None:
    return str(content.label) if isinstance(content, Labeled | Fields) and content.label is not None else None


def _turns(pa: Any, lists: list[tuple[Message, ...] | None], type: Any) -> Any:
    """A column of conversations: all turns one after the other, and where each conversation begins."""
    turns = [turn for messages in lists for turn in messages or ()]
    values = pa.StructArray.from_arrays(
        [_strings(pa, [turn.role for turn in turns]), _strings(pa, [turn.content for turn in turns])],
        fields=list(type.value_type),
    )
    valid, starts = _valid(pa, lists), _starts(pa, [len(messages or ()) for messages in lists])
    return pa.Array.from_buffers(type, len(lists), [valid, starts], children=[values])


def _strings(pa: Any, values: Sequence[str | bytes | None]) -> Any:
    """A column of texts; made of whole buffers, it costs a third of ``pa.array``, which imports pandas besides."""
    each = [value.encode() if isinstance(value, str) else value or b"" for value in values]
    text, starts = pa.py_buffer(b"".join(each)), _starts(pa, list(map(len, each)))
    return pa.StringArray.from_buffers(len(values), starts, text, _valid(pa, values))


def _starts(pa: Any, sizes: list[int]) -> Any:
    """Where each of some values begins, and the end of the last."""
    return pa.py_buffer(array("i", accumulate(sizes, initial=0)))


def _valid(pa: Any, values: Sequence[object]) -> Any:
    """A bit for each value, whether it is there; None where all are."""
    if None not in values:
        return None
    bits = "".join("0" if value is None else "1" for value in reversed(values))
    return pa.py_buffer(int(bits, 2).to_bytes((len(values) + 7) // 8, "little"))
