"""Copying an artifact from one store into another: verified on both sides, whole or not at all, resumable.

The copy grows in the target's ``incoming/`` under the artifact's id, so a second try finds what
a killed first one left and writes only what is missing. Every byte read is held against the source's digests, every
byte written is read again, and only then the folder gets its final name in one step.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from tuneloop.errors import StoreError
from tuneloop.store import seal as sealing
from tuneloop.store.artifact import Manifest, identify, read_manifest
from tuneloop.store.digest import MANIFEST, FileEntry
from tuneloop.store.disk import writing
from tuneloop.store.store import Store

CHUNK = 4 * 1024**2
Outcome = Literal["copied", "present", "mended"]


def copy(
    manifest: Manifest,
    source: Store,
    target: Store,
    *,
    verify: bool = False,
    told: Callable[[int], None] = lambda _: None,
) -> Outcome:
    """Copy one artifact into another store.

    Args:
        manifest: The artifact's manifest, as the source has it.
        source: The store that has it.
        target: The store that gets it.
        verify: Read every byte of what the target has already; else names and sizes of its files are compared.
        told: Called with the number of bytes done, file by file and piece by piece.

    Returns:
        ``copied``; ``present`` if the target has it already, sound; ``mended`` if it had a damaged one.

    Raises:
        StoreError: The source's copy is damaged, the target cannot take it, or another process is copying the same.
    """
    final = target.root / "artifacts" / manifest.id
    with _alone(target, manifest.id) as draft:
        damaged = final.exists() and _is_damaged(final, manifest, verify)
        if final.exists() and not damaged:
            told(sum(entry.size for entry in manifest.files.values()))
            return "present"
        folder = source.root / "artifacts" / manifest.id
        if identify(manifest.kind, manifest.parents, manifest.files) != manifest.id:
            raise _unsound(folder, "the manifest does not belong to this id")
        with writing(draft):
            _clear(draft, manifest)
            for name, entry in manifest.files.items():
                (draft / name).parent.mkdir(parents=True, exist_ok=True)
                _file(folder / name, draft / name, entry, told)
        if found := sealing.damage(draft, manifest.files):
            raise StoreError(
                f"what was written cannot be read back: {'; '.join(found[:3])}",
                where=str(draft),
                fix="check the disk or share there, then run the same command again",
            )
        if final.exists():
            _set_aside(target, final)
        sealing.seal(draft, final, (folder / MANIFEST).read_bytes())
    return "mended" if damaged else "copied"


def _file(origin: Path, copy: Path, entry: FileEntry, told: Callable[[int], None]) -> None:
    """Copy a file; where the copy holds the right bytes already, they are only compared.

    Raises:
        StoreError: The origin is not what the manifest says.
    """
    if not origin.is_file() or origin.stat().st_size != entry.size:
        raise _unsound(origin, "is missing or has another size")
    digest = hashlib.sha256()
    with origin.open("rb") as have, copy.open("r+b" if copy.exists() else "w+b") as to:
        while piece := have.read(CHUNK):
            digest.update(piece)
            at = to.tell()
            if to.read(len(piece)) != piece:
                to.seek(at)
                to.write(piece)
            told(len(piece))
        to.truncate()
    if digest.hexdigest() != entry.sha256:
        copy.unlink()
        raise _unsound(origin, "has changed")


def _unsound(path: Path, what: str) -> StoreError:
    return StoreError(
        f"{path.name} {what}; nothing of it was copied",
        where=str(path),
        fix="restore the artifact from a copy that is sound, or delete it and run the recipe again",
    )


def _is_damaged(folder: Path, manifest: Manifest, verify: bool) -> bool:
    """Whether an artifact that is there already is not what its id says."""
    try:
        if read_manifest(folder).files != manifest.files:
            return True
    except (OSError, ValueError):
        return True
    if verify:
        return bool(sealing.damage(folder, manifest.files))
    sizes = {path.relative_to(folder).as_posix(): path.stat().st_size for path in folder.rglob("*") if path.is_file()}
    sizes.pop(MANIFEST)
    return sizes != {name: entry.size for name, entry in manifest.files.items()}


def _clear(draft: Path, manifest: Manifest) -> None:
    """Take away what does not belong into the draft, such as the manifest of a try that was killed late."""
    for path in sorted(draft.rglob("*")):
        if path.is_file() and path.relative_to(draft).as_posix() not in manifest.files:
            path.unlink()


def _set_aside(store: Store, folder: Path) -> None:
    gone = store.root / "drafts" / f"gone-{folder.name}"
    shutil.rmtree(gone, ignore_errors=True)
    os.rename(folder, gone)  # noqa: PTH104
    shutil.rmtree(gone, ignore_errors=True)


@contextmanager
def _alone(store: Store, id: str) -> Iterator[Path]:
    """Give the folder in which a copy grows, to one process at a time.

    Raises:
        StoreError: Another process has it.
    """
    draft = store.root / "incoming" / id
    lock = draft.with_suffix(".lock")
    with writing(draft):
        draft.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not lock.exists() or lock.stat().st_ino != os.fstat(descriptor).st_ino:
            raise BlockingIOError  # who had the lock before has just taken it away
        draft.mkdir(exist_ok=True)
        yield draft
        shutil.rmtree(draft, ignore_errors=True)
        lock.unlink(missing_ok=True)
    except BlockingIOError:
        raise StoreError(
            f"another process is copying {id} to the same place",
            where=str(store.root),
            fix="wait for its end, then run the same command again",
        ) from None
    finally:
        os.close(descriptor)
