"""Losses of single rows as a run went on: which row, at which step, how many nats per learned token."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from tuneloop.store.seal import cannot_write

if TYPE_CHECKING:
    import numpy as np

FIELDS = [("step", "<i4"), ("row", "<i4"), ("loss", "<f4"), ("terms", "<i4")]
"""One entry of the file, 16 bytes: optimizer step, row of the encoded split, mean loss in nats, learned terms."""


def path_of(folder: Path, split: str) -> Path:
    """Where the losses of one split's rows lie in the folder of a run."""
    return folder / f"row_losses.{split}.bin"


class RowLosses:
    """What single rows of one split lost, in the order of writing.

    Args:
        entries: ``(entries,)`` with the fields of :data:`FIELDS`.
        origin: Tells where a row came from.

    Attributes:
        entries: As given.
    """

    def __init__(self, entries: np.ndarray, origin: Callable[[int], str] = str) -> None:
        self.entries = entries
        self.origin = origin

    @classmethod
    def read(cls, path: Path, origin: Callable[[int], str] = str) -> RowLosses | None:
        """Read the entries that are whole; None where the file is not there or holds none."""
        import numpy as np

        if not path.exists():
            return None
        kind = np.dtype(FIELDS)
        data = path.read_bytes()
        entries = np.frombuffer(data[: len(data) // kind.itemsize * kind.itemsize], kind)
        return cls(entries, origin) if len(entries) else None

    def __len__(self) -> int:
        return len(self.entries)

    @property
    def step(self) -> np.ndarray:
        """Optimizer step of each entry."""
        return self.entries["step"]

    @property
    def row(self) -> np.ndarray:
        """Row of each entry, in the encoded split."""
        return self.entries["row"]

    @property
    def loss(self) -> np.ndarray:
        """Mean loss of each entry, in nats per learned term."""
        return self.entries["loss"]

    @property
    def terms(self) -> np.ndarray:
        """Learned terms of each entry."""
        return self.entries["terms"]


class RowLossFile:
    """Appends losses of single rows to a file, all entries of a step in one write.

    Args:
        path: The file; it is made when it is not there.
        upto: The step that the run goes on from: entries of later steps are cut off. None keeps nothing.

    Raises:
        StoreError: It cannot be written.
    """

    def __init__(self, path: Path, *, upto: int | None = None) -> None:
        self.path = path
        kept = RowLosses.read(path) if upto is not None else None
        entries = 0 if kept is None else int((kept.step <= upto).sum())  # they stand in the order of steps
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
            os.ftruncate(self._file, entries * (kept.entries.itemsize if kept else 0))
        except OSError as error:
            raise cannot_write(path, error) from error

    def write(self, entries: np.ndarray) -> None:
        """Append entries, ``(entries,)`` with the fields of :data:`FIELDS`.

        Raises:
            StoreError: The disk is full or the file cannot be written.
        """
        data = entries.tobytes()
        try:
            if os.write(self._file, data) < len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            raise cannot_write(self.path, error) from error

    def flush(self) -> None:
        """Bring everything written to the disk.

        Raises:
            StoreError: The disk is full or failing.
        """
        try:
            os.fsync(self._file)
        except OSError as error:
            raise cannot_write(self.path, error) from error

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)
