"""JSON lines on disk: append so that a crash costs at most the line being written; read what is whole."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")
_encoder = msgspec.json.Encoder()


def line(row: Any) -> bytes:
    """Encode one row as one line, newline included."""
    return _encoder.encode(row) + b"\n"


def write(path: Path, rows: Iterable[Any]) -> int:
    """Write rows to a new file.

    Returns:
        How many rows were written.
    """
    count = 0
    with path.open("wb") as file:
        for row in rows:
            file.write(line(row))
            count += 1
    return count


def append(path: Path, rows: Iterable[Any], *, sync: bool = False) -> None:
    """Append rows in one write; with ``sync`` they are on the disk when this returns.

    A torn last line, left by a crash, is cut off first.
    """
    data = b"".join(line(row) for row in rows)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        _mend(descriptor)
        os.write(descriptor, data)
        if sync:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read(path: Path, kind: type[T]) -> Iterator[T]:
    """Read the whole lines of a file as values of one type; a torn last line is passed over."""
    if not path.exists():
        return
    decoder = msgspec.json.Decoder(kind)
    with path.open("rb") as file:
        for raw in file:
            if raw.endswith(b"\n") and raw.strip():
                yield decoder.decode(raw)


def _mend(descriptor: int) -> None:
    size = os.lseek(descriptor, 0, os.SEEK_END)
    if size == 0 or os.pread(descriptor, 1, size - 1) == b"\n":
        return
    end = size
    while end > 0:
        start = max(0, end - 4096)
        block = os.pread(descriptor, end - start, start)
        cut = block.rfind(b"\n")
        if cut >= 0:
            os.ftruncate(descriptor, start + cut + 1)
            return
        end = start
    os.ftruncate(descriptor, 0)
