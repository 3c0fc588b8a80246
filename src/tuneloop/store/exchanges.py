"""Served answers and what people said of them, in one SQLite file that several processes may use at once.

The file is in WAL mode with full synchronisation: when :meth:`Exchanges.add` or :meth:`Exchanges.judge`
returns, the row is on the disk, and a kill or a power cut no longer takes it away.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from tuneloop.errors import StoreError
from tuneloop.rows import Exchange, Feedback

SCHEMA = """
CREATE TABLE IF NOT EXISTS exchange (
    id TEXT PRIMARY KEY,
    time REAL NOT NULL,
    release TEXT NOT NULL,
    row BLOB NOT NULL      -- the whole Exchange as JSON
) STRICT;
CREATE INDEX IF NOT EXISTS exchange_time ON exchange (time);
CREATE TABLE IF NOT EXISTS feedback (
    id TEXT PRIMARY KEY,
    exchange TEXT NOT NULL REFERENCES exchange (id),
    time REAL NOT NULL,
    kind TEXT NOT NULL,
    row BLOB NOT NULL      -- the whole Feedback as JSON
) STRICT;
CREATE INDEX IF NOT EXISTS feedback_exchange ON feedback (exchange);
"""
PAGE = 500


class Exchanges:
    """The file of exchanges and feedback; it is made when it is not there. Threads may share one.

    Args:
        path: The file, ``exchanges.db`` in the store's folder.

    Raises:
        StoreError: It cannot be opened, or is no database of this kind.

    Example:
        >>> import tempfile
        >>> with Exchanges(Path(tempfile.mkdtemp()) / "exchanges.db") as exchanges:
        ...     exchanges.get("chatcmpl-unknown") is None
        True
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        with self._guarded():
            self._db = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.execute("PRAGMA foreign_keys = ON")
            self._db.executescript(SCHEMA)

    def __enter__(self) -> Exchanges:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    def add(self, exchange: Exchange) -> None:
        """Keep an exchange; it is on the disk when this returns.

        Raises:
            StoreError: It cannot be written.
        """
        row = (exchange.id, exchange.time, exchange.release, msgspec.json.encode(exchange))
        with self._guarded():
            self._db.execute("INSERT INTO exchange (id, time, release, row) VALUES (?, ?, ?, ?)", row)

    def judge(self, feedback: Feedback) -> bool:
        """Keep a judgement of an exchange; it is on the disk when this returns.

        Returns:
            Whether the exchange is known; if not, nothing was kept.

        Raises:
            StoreError: It cannot be written.
        """
        row = (feedback.id, feedback.time, feedback.kind, msgspec.json.encode(feedback), feedback.exchange)
        with self._guarded():
            done = self._db.execute(
                "INSERT INTO feedback (id, time, kind, row, exchange) SELECT ?, ?, ?, ?, id FROM exchange WHERE id = ?",
                row,
            )
            return done.rowcount == 1

    def get(self, id: str) -> Exchange | None:
        """Find one exchange by the id of its answer; None if it is not there."""
        with self._guarded():
            row = self._db.execute("SELECT row FROM exchange WHERE id = ?", (id,)).fetchone()
        return msgspec.json.decode(row[0], type=Exchange) if row else None

    def all(self) -> Iterator[Exchange]:
        """Every exchange, oldest first."""
        for (row,) in self._pages("SELECT row FROM exchange ORDER BY time, id"):
            yield msgspec.json.decode(row, type=Exchange)

    def feedback(self, exchange: str) -> list[Feedback]:
        """What was said of one exchange, oldest first."""
        with self._guarded():
            rows = self._db.execute("SELECT row FROM feedback WHERE exchange = ? ORDER BY time, rowid", (exchange,))
            return [msgspec.json.decode(row, type=Feedback) for (row,) in rows]

    def judged(self) -> Iterator[tuple[Exchange, Feedback]]:
        """Every judgement with the exchange it speaks of, oldest judgement first."""
        query = (
            "SELECT exchange.row, feedback.row FROM feedback JOIN exchange ON exchange.id = feedback.exchange"
            " ORDER BY feedback.time, feedback.rowid"
        )
        for exchange, said in self._pages(query):
            yield msgspec.json.decode(exchange, type=Exchange), msgspec.json.decode(said, type=Feedback)

    def forget(self, ids: Iterable[str]) -> int:
        """Delete exchanges with all that was said of them, and overwrite their place in the file.

        Args:
            ids: Ids of answers; unknown ones are passed over.

        Returns:
            How many exchanges were deleted.

        Raises:
            StoreError: The file cannot be written, or others read it for more than half a minute.
        """
        rows = [(id,) for id in ids]
        with self._guarded():
            self._db.execute("PRAGMA secure_delete = ON")
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany("DELETE FROM feedback WHERE exchange = ?", rows)
            gone = self._db.executemany("DELETE FROM exchange WHERE id = ?", rows).rowcount
            self._db.execute("COMMIT")
            self._db.execute("VACUUM")
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return gone

    def _pages(self, query: str) -> Iterator[tuple[bytes, ...]]:
        """Read a long result a page at a time, so that nobody waits for the lock meanwhile."""
        with self._guarded():
            cursor = self._db.cursor().execute(query)
        while True:
            with self._guarded():
                rows = cursor.fetchmany(PAGE)
            if not rows:
                return
            yield from rows

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            with self._lock:
                yield
        except sqlite3.Error as error:
            raise StoreError(
                f"served answers cannot be read or written: {error}",
                where=str(self.path),
                fix="check that the disk has room and that you may write there; if the file is damaged,"
                " put it aside and a new one is made",
            ) from error
