"""Ten thousand malformed rows for every reader: nothing crashes, and no row vanishes unseen.

Files of real-looking rows are mutated (bits, cuts, NULs, quotation marks, nesting, huge numbers, mixed encodings) and
read. A whole file may be refused with a DataError; else every row is kept or set aside with place and reason.
"""

from __future__ import annotations

import gzip
import io
import json
import random
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tuneloop.data.files import files
from tuneloop.data.hiding import Hider
from tuneloop.data.ledger import FileCounts
from tuneloop.data.reading import chunks
from tuneloop.data.section import Source
from tuneloop.errors import DataError
from tuneloop.rows import Drop, Record

ROWS = 10_000
SAID = (
    "what is the capital of France?",
    "两个数的和是多少？",
    "café crème — “ok”",
    'a "quoted" word',
    "tab\tnew\nline",
    "",
)


def _fields(draw: random.Random) -> dict[str, object]:
    row: dict[str, object] = {"instruction": draw.choice(SAID) + str(draw.random()), "output": draw.choice(SAID)}
    if draw.random() < 0.2:
        row["input"] = draw.choice(SAID)
    if draw.random() < 0.2:
        row["extra"] = draw.choice([None, 1, 2.5, True, [1, {"a": "b"}], {"x": {"y": []}}])
    return row


def _bits(data: bytes, draw: random.Random) -> bytes:
    return bytes(byte ^ (1 << draw.randrange(8)) if draw.random() < 0.05 else byte for byte in data)


def _cut(data: bytes, draw: random.Random) -> bytes:
    return data[: draw.randrange(len(data) + 1)]


def _put(*pieces: bytes) -> Callable[[bytes, random.Random], bytes]:
    def put(data: bytes, draw: random.Random) -> bytes:
        at = draw.randrange(len(data) + 1)
        return data[:at] + draw.choice(pieces) + data[at:]

    return put


def _other(data: bytes, draw: random.Random) -> bytes:
    return data.decode("utf-8", "replace").encode(draw.choice(("gb18030", "cp1252", "utf-16", "latin-1")), "replace")


def _swap(data: bytes, draw: random.Random) -> bytes:
    return data[::-1] if draw.random() < 0.2 else data.replace(b'"', draw.choice((b"'", b"", b'""', b'\\"')), 1)


MUTATIONS: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    _bits,
    _cut,
    _other,
    _swap,
    _put(b"\x00", b"\x00\x00\x00", b"\x1a", b"\x7f", b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xef\xbb\xbf"),
    _put(b'"', b"\\", b"\\ud83d", b"\\u00", b"{", b"}", b"[", b"]", b",", b":", b"\t", b"\r", b"\n", b"\xe2\x80\xa8"),
    _put(b"[" * 3000, b'{"a":' * 1500, b'{"a":' * 60 + b"1" + b"}" * 60),
    _put(b"9" * 6000, b"1e999", b"-1e-999", b"NaN", b"-Infinity", b"0x1F", b"18446744073709551616"),
)


def _mutated(lines: list[bytes], draw: random.Random, share: float = 0.7) -> list[bytes]:
    return [draw.choice(MUTATIONS)(line, draw) if draw.random() < share else line for line in lines]


def _jsonl(rows: list[dict[str, object]], draw: random.Random) -> bytes:
    return b"\n".join(_mutated([json.dumps(row, ensure_ascii=draw.random() < 0.5).encode() for row in rows], draw))


def _json(rows: list[dict[str, object]], draw: random.Random) -> bytes:
    lines = _mutated(
        [json.dumps(row, ensure_ascii=False, indent=draw.choice((None, 1))).encode() for row in rows], draw
    )
    return draw.choice((b"[", b'{"data": [', b"")) + b",\n".join(lines) + draw.choice((b"]", b"]}", b""))


def _cells(separator: str) -> Callable[[list[dict[str, object]], random.Random], bytes]:
    def table(rows: list[dict[str, object]], draw: random.Random) -> bytes:
        lines = [
            separator.join('"' + str(row[name]).replace('"', '""') + '"' for name in ("instruction", "output")).encode()
            for row in rows
        ]
        return b"\n".join([f"instruction{separator}output".encode(), *_mutated(lines, draw)])

    return table


def _text(rows: list[dict[str, object]], draw: random.Random) -> bytes:
    return b"\n\n".join(_mutated([str(row["instruction"]).encode() for row in rows], draw))


def _parquet(rows: list[dict[str, object]], draw: random.Random) -> bytes:
    out = io.BytesIO()
    pq.write_table(_table(rows, draw), out, compression=draw.choice(("none", "snappy", "zstd")), row_group_size=50)
    return out.getvalue()


def _arrow(rows: list[dict[str, object]], draw: random.Random) -> bytes:
    out = io.BytesIO()
    table = _table(rows, draw)
    new = draw.choice((pa.ipc.new_stream, pa.ipc.new_file))
    with new(out, table.schema) as writer:
        writer.write_table(table, max_chunksize=50)
    return out.getvalue()


def _table(rows: list[dict[str, object]], draw: random.Random) -> pa.Table:
    columns = {name: [row.get(name) for row in rows] for name in ("instruction", "input", "output")}
    odd = draw.choice(
        ([float("nan")] * len(rows), [2**63 - 1] * len(rows), [b"\xff\x00"] * len(rows), [None] * len(rows))
    )
    return pa.table({**columns, "odd": odd})


WRITERS = {
    "jsonl": _jsonl,
    "json": _json,
    "csv": _cells(","),
    "tsv": _cells("\t"),
    "txt": _text,
    "parquet": _parquet,
    "arrow": _arrow,
}


def _check(path: Path) -> tuple[int, bool]:
    """Read a file: how many rows came, and whether it was refused."""
    source = Source(path=path.name)
    counts = FileCounts(path.name, "")
    origins: set[str] = set()
    seen = kept = 0
    try:
        (file,), _ = files(source, path.parent)
        for chunk in chunks(source, file, counts):
            for item in chunk.items(counts, Hider()):
                assert isinstance(item, Record | Drop)
                seen += 1
                kept += isinstance(item, Record)
                origins.add(item.origin)
                if isinstance(item, Drop):
                    assert item.reason
                    assert item.origin.startswith(path.name)
    except DataError as error:
        assert error.problems[0].fix
        return seen, True
    assert counts.read == seen == len(origins)
    assert counts.taken == kept
    return seen, False


@pytest.mark.parametrize("kind", list(WRITERS))
def test_ten_thousand_malformed_rows_are_kept_or_set_aside(kind: str, tmp_path: Path) -> None:
    draw = random.Random(f"1 {kind}")
    made = read = refused = 0
    path = tmp_path / f"rows.{kind}"
    while made < ROWS:
        rows = [_fields(draw) for _ in range(200)]
        data = WRITERS[kind](rows, draw)
        if kind in ("parquet", "arrow"):
            data = draw.choice((_cut, _bits_few, _bits_few))(data, draw)
        elif draw.random() < 0.15:
            data = draw.choice((_cut, _bits_few))(gzip.compress(data, 1), draw)
        path.write_bytes(data)
        seen, no = _check(path)
        made, read, refused = made + len(rows), read + seen, refused + no
    assert read > ROWS / 4 or kind in ("parquet", "arrow")
    assert refused < made / 200


def _bits_few(data: bytes, draw: random.Random) -> bytes:
    """Some bits of a whole file turned; now and then none."""
    changed = bytearray(data)
    for _ in range(draw.choice((0, 1, 3, 20))):
        changed[draw.randrange(len(changed))] ^= 1 << draw.randrange(8)
    return bytes(changed)


@pytest.mark.parametrize("kind", ["jsonl", "csv", "tsv", "txt"])
def test_no_line_vanishes(kind: str, tmp_path: Path) -> None:
    draw = random.Random(f"lines {kind}")
    path = tmp_path / f"rows.{kind}"
    for _ in range(20):
        lines = WRITERS[kind]([_fields(draw) for _ in range(100)], draw).split(b"\n")
        path.write_bytes(b"\n".join(lines))
        seen, refused = _check(path)
        if kind == "jsonl" and not refused and not any(line.startswith(b"\xff\xfe") for line in lines[:1]):
            assert seen == sum(bool(line.strip(b" \t\r\n\x0b\x0c\x1c\x1d\x1e\x1f")) for line in lines)
