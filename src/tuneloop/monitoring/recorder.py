"""The recorder: the one writer of a run's signals, safe against a crash at any moment."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

from tuneloop.monitoring.history import History
from tuneloop.monitoring.row_losses import RowLossFile, path_of
from tuneloop.rows import Signal, jsonl
from tuneloop.store.seal import cannot_write

if TYPE_CHECKING:
    import numpy as np


class Records(Protocol):
    """Takes the figures of a run."""

    def write(self, step: int, figures: Mapping[str, float]) -> None:
        """Take the figures of one step."""

    def rows(self, split: str, entries: np.ndarray) -> None:
        """Take what single rows of one step lost, with the fields of :data:`~tuneloop.monitoring.row_losses.FIELDS`."""

    def flush(self) -> int:
        """Bring everything to the disk, and say how many bytes there are."""


class Unrecorded:
    """Keeps nothing: for the processes of a run that leave the writing to another one."""

    def write(self, step: int, figures: Mapping[str, float]) -> None:
        """Ignore it."""

    def rows(self, split: str, entries: np.ndarray) -> None:
        """Ignore it."""

    def flush(self) -> int:
        """Nothing is there."""
        return 0


class Recorder:
    """Appends signals to ``signals.jsonl``, all figures of a step in one write, and keeps their history.

    Losses of single rows go to a file of their own beside it for each split.

    Args:
        path: The file; it is made when it is not there.
        keep: Bytes of an earlier file that still hold; what follows them was written after the checkpoint
            that a run goes on from, and is cut off.
        step: The step of that checkpoint; losses of single rows of later steps are cut off. None where there is none.

    Raises:
        StoreError: It cannot be written.

    Example:
        >>> import tempfile
        >>> with Recorder(Path(tempfile.mkdtemp()) / "signals.jsonl") as recorder:
        ...     recorder.write(1, {"train/loss": 2.5})
        >>> recorder.history.latest("train/loss")
        2.5
    """

    def __init__(self, path: Path, *, keep: int = 0, step: int | None = None) -> None:
        self.path = path
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
            os.ftruncate(self._file, min(keep, os.fstat(self._file).st_size))
        except OSError as error:
            raise cannot_write(path, error) from error
        self._rows: dict[str, RowLossFile] = {}
        self.history = History.read(path)
        for split in ("train", "validation"):
            if path_of(path.parent, split).exists():
                self._rows[split] = RowLossFile(path_of(path.parent, split), upto=step)

    def write(self, step: int, figures: Mapping[str, float]) -> None:
        """Append the figures of one step.

        Args:
            step: Optimizer step, counted from 1 (0: before training).
            figures: Finite figures by name.

        Raises:
            StoreError: The disk is full or the file cannot be written.
        """
        now = time.time()
        signals = [Signal(step, name, float(value), now) for name, value in figures.items()]
        data = b"".join(jsonl.line(signal) for signal in signals)
        try:
            if os.write(self._file, data) < len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            raise cannot_write(self.path, error) from error
        for signal in signals:
            self.history.add(signal)

    def rows(self, split: str, entries: np.ndarray) -> None:
        """Append what single rows lost.

        Args:
            split: ``train`` or ``validation``.
            entries: ``(rows,)`` with the fields of :data:`~tuneloop.monitoring.row_losses.FIELDS`.

        Raises:
            StoreError: The disk is full or the file cannot be written.
        """
        if not len(entries):
            return
        if split not in self._rows:
            self._rows[split] = RowLossFile(path_of(self.path.parent, split))
        self._rows[split].write(entries)

    def broke(self, step: int, figures: Mapping[str, float]) -> None:
        """Take figures that are no numbers into the history alone: lines of JSON cannot hold them.

        Args:
            step: Optimizer step.
            figures: Figures by name.
        """
        for name, value in figures.items():
            self.history.add(Signal(step, name, float(value), time.time()))

    def flush(self) -> int:
        """Bring everything written to the disk.

        Returns:
            Bytes of the file: what ``keep`` has to be to go on from here.

        Raises:
            StoreError: The disk is full or failing.
        """
        for file in self._rows.values():
            file.flush()
        try:
            os.fsync(self._file)
            return os.fstat(self._file).st_size
        except OSError as error:
            raise cannot_write(self.path, error) from error

    def close(self) -> None:
        """Let go of the files."""
        os.close(self._file)
        for file in self._rows.values():
            file.close()

    def __enter__(self) -> Recorder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
