"""The shelf: pages kept as they come, each whole or not there, and in the end one snapshot of them all."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from tuneloop.errors import StoreError
from tuneloop.store import Store
from tuneloop.store.digest import of_file
from tuneloop.store.disk import writing
from tuneloop.store.seal import replace

CACHED = "fetched-"
"""How the folders in the store's cache begin."""


class Page(msgspec.Struct, frozen=True):
    """A page that was fetched.

    Attributes:
        number: Its number, from 1.
        rows: How many rows it has.
        digest: SHA-256 of its lines.
        following: Where the next page is; None after the last.
    """

    number: int
    rows: int
    digest: str
    following: dict[str, Any] | None


class Snapshot(msgspec.Struct, frozen=True):
    """What a finished fetch gave.

    Attributes:
        file: The file's name.
        sha256: The digest of its content.
        pages: How many pages it was.
        rows: How many rows it has.
        fetched: When the last page came (ISO 8601, UTC).
        url: What was asked, without secrets.
    """

    file: str
    sha256: str
    pages: int
    rows: int
    fetched: str
    url: str


class Shelf:
    """The folder of one fetch in the store's cache; :meth:`held` keeps other processes out.

    Args:
        store: The store.
        key: Digest of everything that decides what is asked.
    """

    def __init__(self, store: Store, key: str) -> None:
        self.folder = store.root / "cache" / f"{CACHED}{key[:20]}"
        self._pages = self.folder / "pages"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the folder, so that no second process fetches the same meanwhile.

        Raises:
            StoreError: Another process is fetching it.
        """
        with writing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.folder / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError:
            raise StoreError(
                "another process is fetching this very source", where=str(self.folder), fix="wait for it, or stop it"
            ) from None
        finally:
            os.close(descriptor)

    def snapshot(self) -> Snapshot | None:
        """The last finished fetch.

        Raises:
            StoreError: Its file was changed.
        """
        try:
            found = msgspec.json.decode((self.folder / "snapshot.json").read_bytes(), type=Snapshot)
            sound = of_file(self.folder / found.file) == found.sha256
        except FileNotFoundError:
            return None
        except msgspec.DecodeError:
            sound = False
        if not sound:
            raise StoreError(
                "what was fetched is damaged", where=str(self.folder), fix="fetch it again: tuneloop prepare --refresh"
            )
        return found

    def pages(self) -> list[Page]:
        """The sound pages of an unfinished fetch, up to the first that is missing or damaged."""
        found: list[Page] = []
        while (path := self._path(len(found) + 1)).exists():
            head, _, lines = path.read_bytes().partition(b"\n")
            try:
                page = msgspec.json.decode(head, type=Page)
            except msgspec.DecodeError:
                break
            if hashlib.sha256(lines).hexdigest() != page.digest:
                break
            found.append(page)
        return found

    def keep(self, number: int, rows: Sequence[Any], following: dict[str, Any] | None) -> Page:
        """Put a page on the disk; it is there for good when this returns.

        Raises:
            StoreError: The disk is full, or permission is missing.
        """
        # ASCII: a lone half of a character survives as its escape, and is told of when the row is read
        lines = b"".join(json.dumps(row).encode("ascii") + b"\n" for row in rows)
        page = Page(number, len(rows), hashlib.sha256(lines).hexdigest(), following)
        with writing(self._pages):
            self._pages.mkdir(exist_ok=True)
            replace(self._path(number), msgspec.json.encode(page) + b"\n" + lines)
        return page

    def forget(self, page: Page) -> None:
        """Take a page away again."""
        self._path(page.number).unlink(missing_ok=True)

    def age(self) -> float:
        """Seconds since the first page of an unfinished fetch was kept."""
        return time.time() - self._path(1).stat().st_mtime

    def drop_pages(self) -> None:
        """Forget the pages of an unfinished fetch."""
        shutil.rmtree(self._pages, ignore_errors=True)

    def finish(self, pages: Sequence[Page], limit: int | None, fetched: str, url: str) -> Snapshot:
        """Make one file of all pages; each line tells page and row.

        Raises:
            StoreError: The disk is full, or permission is missing.
        """
        digest, rows, fresh = hashlib.sha256(), 0, self.folder / ".rows.jsonl"
        with writing(self.folder):
            with fresh.open("wb") as file:
                for page in pages:
                    lines = self._path(page.number).read_bytes().split(b"\n")[1:-1]
                    for at, line in enumerate(lines[: None if limit is None else limit - rows], 1):
                        whole = b'{"page":%d,"row":%d,"item":%b}\n' % (page.number, at, line)
                        file.write(whole)
                        digest.update(whole)
                    rows += len(lines) if limit is None else min(len(lines), limit - rows)
                file.flush()
                os.fsync(file.fileno())
            made = Snapshot(f"rows-{digest.hexdigest()[:20]}.jsonl", digest.hexdigest(), len(pages), rows, fetched, url)
        self._seal(fresh, made)
        self.drop_pages()
        return made

    def put(self, data: bytes, ending: str, fetched: str, url: str) -> Snapshot:
        """Make a whole file the snapshot.

        Raises:
            StoreError: The disk is full, or permission is missing.
        """
        digest = hashlib.sha256(data).hexdigest()
        fresh = self.folder / ".file"
        replace(fresh, data)
        made = Snapshot(f"rows-{digest[:20]}{ending}", digest, 1, 0, fetched, url)
        self._seal(fresh, made)
        return made

    def _seal(self, fresh: Path, made: Snapshot) -> None:
        """Give a finished file its name, then let the snapshot name it, then let go of the one before."""
        with writing(self.folder):
            fresh.replace(self.folder / made.file)
            replace(self.folder / "snapshot.json", msgspec.json.encode(made))
            for path in self.folder.glob("rows-*"):
                if path.name != made.file:
                    path.unlink()

    def _path(self, number: int) -> Path:
        return self._pages / f"{number:06}.jsonl"
