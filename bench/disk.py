"""A disk that fails: every write of a save can be made to fail, or to be the last thing a process does.

The calls by which checkpoints reach the disk (open for writing, write, fsync, mkdir, chmod, rename, unlink, rmdir,
and safetensors' own writing) are counted; at the chosen one something is done instead.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tuneloop.training import checkpoints

CALLS = ("mkdir", "chmod", "fsync", "rename", "replace", "unlink", "rmdir", "write")
SAVE = "save_file"


class Disk:
    """Counts writing calls, and does something at one of them, or at it and all after it.

    Args:
        at: The call, counted from 0; None only counts.
        lasting: Whether all later calls meet the same.
        act: What is done there; it raises, or ends the process.
    """

    def __init__(self, at: int | None, *, lasting: bool, act: Callable[[], None]) -> None:
        self.at, self.lasting, self.act = at, lasting, act
        self.seen: list[str] = []

    def meet(self, name: str) -> None:
        """A writing call is about to be made."""
        number = len(self.seen)
        self.seen.append(name)
        if self.at is not None and (number == self.at or (self.lasting and number > self.at)):
            self.act()


def failing(number: int) -> Callable[[], None]:
    """Something to do at a call: fail with an error number of the system."""

    def act() -> None:
        raise OSError(number, os.strerror(number))

    return act


@contextmanager
def watched(disk: Disk) -> Iterator[Disk]:
    """Send all writing calls of this process past a disk while inside."""
    plain = {name: getattr(os, name) for name in CALLS}
    plain_open, plain_save = io.open, vars(checkpoints)[SAVE]
    try:
        for name, call in plain.items():
            setattr(os, name, _past(disk, name, call))
        io.open = _opening(disk, plain_open)
        setattr(checkpoints, SAVE, _saving(disk, plain_save))
        yield disk
    finally:
        for name, call in plain.items():
            setattr(os, name, call)
        io.open = plain_open
        setattr(checkpoints, SAVE, plain_save)


def _past(disk: Disk, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
    def passed(*given: Any, **named: Any) -> Any:
        disk.meet(name)
        return call(*given, **named)

    return passed


def _opening(disk: Disk, plain: Callable[..., Any]) -> Callable[..., Any]:
    def opened(file: Any, mode: str = "r", *given: Any, **named: Any) -> Any:
        if not set(mode) & set("wax+"):
            return plain(file, mode, *given, **named)
        disk.meet("open")
        made = plain(file, mode, *given, **named)
        return _File(made, disk)

    return opened


class _File:
    """A file whose writes go past the disk; a write that fails leaves half of its bytes, as a full disk does."""

    def __init__(self, file: Any, disk: Disk) -> None:
        self._file, self._disk = file, disk

    def write(self, data: Any) -> int:
        try:
            self._disk.meet("file.write")
        except OSError:
            self._file.write(data[: len(data) // 2])
            raise
        count: int = self._file.write(data)
        return count

    def __enter__(self) -> _File:
        return self

    def __exit__(self, *told: object) -> None:
        self._file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def _saving(disk: Disk, plain: Callable[..., Any]) -> Callable[..., Any]:
    """safetensors writes in Rust, past Python: its file is torn in half and its own kind of error raised."""
    from safetensors import SafetensorError

    def saved(tensors: Any, path: Any, *given: Any) -> None:
        try:
            disk.meet("save_file")
        except OSError as error:
            plain(tensors, path, *given)
            with open(path, "r+b") as file:  # noqa: PTH123 - io.open is replaced, the builtin is not
                file.truncate(path.stat().st_size // 2)
            raise SafetensorError(f"I/O error: {error.strerror} (os error {error.errno})") from error
        plain(tensors, path, *given)

    return saved
