"""Refs: names that point at artifacts; the only thing in a store that changes.

All refs live in one append-only log, one line a move (who, when, why), written under a lock and
flushed before the move counts. A ref's value is the last line that names it, so a roll-back is one
more move, and a crash costs at most the line being written.
"""

from __future__ import annotations

import fcntl
import getpass
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from tuneloop.errors import StoreError
from tuneloop.rows import jsonl
from tuneloop.store.naming import is_name
from tuneloop.store.seal import cannot_write


class Move(msgspec.Struct, frozen=True):
    """One line of the log: the ref's name, where it points now and before, who moved it, when and why."""

    name: str
    id: str
    previous: str
    who: str
    when: float
    why: str


class Refs:
    """The refs of one store.

    Args:
        path: The log's path.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def all(self) -> dict[str, str]:
        """Every ref that points somewhere, with the id it points at."""
        now: dict[str, str] = {}
        for move in self.log():
            now[move.name] = move.id
        return {name: id for name, id in now.items() if id}

    def log(self, name: str | None = None) -> Iterator[Move]:
        """The moves, oldest first; of one ref where a name is given."""
        for move in jsonl.read(self.path, Move):
            if name is None or move.name == name:
                yield move

    def move(self, name: str, id: str, *, why: str) -> Move:
        """Point a ref at an artifact.

        Args:
            name: Letters and digits of any script, ``_ . - /``, such as ``faq/champion``.
            id: The artifact's id.
            why: The reason, for whoever reads the log.

        Raises:
            StoreError: The name is no ref name, or the log cannot be written.
        """
        if not all(map(is_name, name.split("/"))):
            raise StoreError(f"{name!r} is no name for a ref", where="refs", fix="use letters, digits, _ . - and /")
        with self._locked():
            move = Move(name, id, self.all().get(name, ""), who(), time.time(), why)
            self._append([move])
        return move

    def follow(self, moves: Sequence[Move]) -> None:
        """Make the moves of another store's refs here too: who, when and why stay theirs.

        Raises:
            StoreError: The log cannot be written.
        """
        with self._locked():
            now = self.all()
            made = []
            for move in moves:
                made.append(msgspec.structs.replace(move, previous=now.get(move.name, "")))
                now[move.name] = move.id
            self._append(made)

    def rollback(self, name: str, *, why: str = "rollback") -> Move:
        """Point a ref at what it pointed at before its present value; repeated, it goes further back.

        Raises:
            StoreError: There is no earlier value.
        """
        return self.move(name, self.before(name), why=why if why.startswith("rollback") else f"rollback: {why}")

    def before(self, name: str) -> str:
        """What a ref pointed at before its present value, moves back not counted: where a roll-back leads.

        Raises:
            StoreError: There is no earlier value.
        """
        stack: list[str] = []
        for move in self.log(name):
            if move.why.startswith("rollback") and len(stack) > 1 and stack[-2] == move.id:
                stack.pop()
            elif not stack or stack[-1] != move.id:
                stack.append(move.id)
        if len(stack) < 2:
            raise StoreError(
                f"{name} has no earlier value", where="refs.jsonl", fix="see its history: tuneloop show --log " + name
            )
        return stack[-2]

    def _append(self, moves: Sequence[Move]) -> None:
        try:
            jsonl.append(self.path, moves, sync=True)
        except OSError as error:
            raise cannot_write(self.path, error) from error

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            descriptor = os.open(self.path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise cannot_write(self.path, error) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def who() -> str:
    """Name of the person at work, for logs."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
