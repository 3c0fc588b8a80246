"""Garbage collection: remove what no ref reaches, and what killed processes left behind."""

from __future__ import annotations

import fcntl
import os
import shutil
from pathlib import Path

from tuneloop.errors import StoreError
from tuneloop.store.lineage import ancestors
from tuneloop.store.store import Store


def unreachable(store: Store, *, history: int = 3) -> list[str]:
    """The artifacts that neither a ref's present value nor one of its last values leads to.

    Args:
        store: The store.
        history: How many earlier values of each ref are kept too, so that a roll-back still works.
    """
    roots: set[str] = set()
    values: dict[str, list[str]] = {}
    for move in store.refs.log():
        past = values.setdefault(move.name, [])
        if move.id in past:
            past.remove(move.id)
        past.append(move.id)
    for past in values.values():
        roots.update(id for id in past[-(history + 1) :] if id)
    present = [manifest.id for manifest in store.artifacts()]
    kept: set[str] = set()
    for root in roots & set(present):
        kept.update(manifest.id for manifest in ancestors(store, root))
    return [id for id in present if id not in kept]


def collect(store: Store, *, history: int = 3, dry: bool = False) -> list[str]:
    """Remove the unreachable artifacts and drafts older than a day.

    An artifact loses its name first, in one step, and its files after, so a kill leaves no half artifact.

    Returns:
        The ids that were (or, if ``dry``, would be) removed.

    Raises:
        StoreError: A process is at work, whose inputs no ref may reach yet.
    """
    found = unreachable(store, history=history)
    if dry:
        return found
    for lock in sorted((store.root / "work").glob("*.lock")):
        if _is_held(lock):
            raise StoreError(
                "a training is going on, and may need what no ref reaches yet",
                where=str(lock.with_suffix("")),
                fix="wait for its end, or stop it (Ctrl-C keeps its state) and run tuneloop gc again",
            )
    for id in found:
        _remove(store, id)
    sweep(store)
    return found


def discard(store: Store, id: str, *, since: float) -> bool:
    """Remove one artifact that nothing needs any more, before the next collection would.

    Args:
        store: The store.
        id: Its id.
        since: It stays if it was made before this time, in seconds since the epoch.

    Returns:
        Whether it was removed: what a ref points at or something else was made from stays.
    """
    known = store.artifacts()
    used = {parent for manifest in known for parent in manifest.parents.values()} | set(store.refs.all().values())
    old = any(manifest.id == id and manifest.created < since for manifest in known)
    if id in used or old:
        return False
    _remove(store, id)
    return True


def _remove(store: Store, id: str) -> None:
    """Take an artifact its name, in one step, and its files after."""
    doomed = store.root / "drafts" / f"gone-{id}"
    shutil.rmtree(doomed, ignore_errors=True)
    os.rename(store.root / "artifacts" / id, doomed)  # noqa: PTH104
    shutil.rmtree(doomed, ignore_errors=True)


def sweep(store: Store) -> None:
    """Remove the drafts that killed processes left behind; a living process holds the lock of its own."""
    for draft in (store.root / "drafts").iterdir():
        try:
            descriptor = os.open(draft, os.O_RDONLY)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(draft, ignore_errors=True)
            draft.unlink(missing_ok=True)
        except (BlockingIOError, IsADirectoryError, PermissionError):
            pass
        finally:
            os.close(descriptor)


def clear_work(store: Store, key: str) -> None:
    """Remove the folder of finished work, unless a process is at it."""
    folder: Path = store.root / "work" / key[:20]
    lock = folder.with_suffix(".lock")
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
        lock.unlink(missing_ok=True)
    except BlockingIOError:
        pass
    finally:
        os.close(descriptor)


def _is_held(lock: Path) -> bool:
    """Whether a process holds the lock of a piece of work."""
    with lock.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
