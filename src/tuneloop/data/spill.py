"""A spill: rows put down on disk in order and taken up again, as often as needed, in any order."""

from __future__ import annotations

import os
import tempfile
from array import array
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType

import msgspec

from tuneloop.rows import Record
from tuneloop.store.disk import writing
from tuneloop.store.seal import cannot_write

BUFFER = 1 << 20

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Record).decode


class Spill:
    """Records on disk, 8 bytes of memory each; the file has no name and is gone with the process. Use it with ``with``.

    Every method that writes raises a :class:`StoreError` where the disk is full or fails.

    Args:
        folder: A folder with room for the rows.

    Example:
        >>> from tuneloop.rows import Record, Text
        >>> with Spill(Path(tempfile.gettempdir())) as spill:
        ...     spill.add(Record.of(Text("to be"), origin="plays.txt:1"))
        ...     [record.origin for record in spill], spill[0].content
        (['plays.txt:1'], Text(text='to be'))
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with writing(folder):
            self._file = tempfile.TemporaryFile(dir=folder, buffering=BUFFER)  # noqa: SIM115
        self._starts = array("Q", [0])
        self._taking = False

    def __enter__(self) -> Spill:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):  # rows that no longer fit on the disk are not needed any more either
            self._file.close()

    def __len__(self) -> int:
        return len(self._starts) - 1

    def add(self, record: Record) -> None:
        """Put a record down behind the others."""
        data = _encode(record)
        try:
            if self._taking:
                self._file.seek(0, os.SEEK_END)
                self._taking = False
            self._file.write(data)
        except OSError as error:
            raise cannot_write(self._folder, error) from error
        self._starts.append(self._starts[-1] + len(data))

    def extend(self, records: Iterable[Record]) -> None:
        """Put records down in order."""
        for record in records:
            self.add(record)

    def __getitem__(self, index: int) -> Record:
        """The record at a place, counted from 0."""
        try:
            return self._take(index)
        except OSError as error:
            raise cannot_write(self._folder, error) from error

    def __iter__(self) -> Iterator[Record]:
        """All records in order; the file is read in large pieces."""
        for index in range(len(self)):
            yield self[index]

    def _take(self, index: int) -> Record:
        start, end = self._starts[index], self._starts[index + 1]
        if not self._taking or self._file.tell() != start:
            self._taking = True
            self._file.seek(start)  # what is not on the disk yet is put there first
        return _decode(self._file.read(end - start))
