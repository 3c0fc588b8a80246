"""Sealing: a folder becomes final in one atomic step, whole or not at all.

The order is what makes it safe against a kill or a power cut between any two system calls:
every file is flushed to the disk, then the manifest with their digests, then the folders that
hold them, and only then the folder gets its final name by one rename, which is flushed too.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

import msgspec

from tuneloop.errors import StoreError
from tuneloop.store.digest import MANIFEST, FileEntry, of_file


def seal(folder: Path, final: Path, manifest: bytes) -> None:
    """Give a finished folder its manifest and its final name.

    Args:
        folder: The folder with all its files, on the same file system as ``final``.
        final: The name it gets; its parent exists. A folder that already has the name (the same
            artifact, sealed before) is kept and ``folder`` is removed by the caller.
        manifest: The content of its ``manifest.json``.

    Raises:
        StoreError: The disk is full, or permission is missing.
    """
    try:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                path.chmod(0o644)  # save_pretrained writes 0600, which another user's server cannot read
            _flush(path)
        _write(folder / MANIFEST, manifest)
        _flush(folder)
        os.rename(folder, final)  # noqa: PTH104 - the one atomic step, spelled as the system call it is
        _flush(final.parent)
    except OSError as error:
        if error.errno in (errno.EEXIST, errno.ENOTEMPTY) and final.exists():
            return
        raise cannot_write(final, error) from error


def replace(path: Path, data: bytes) -> None:
    """Write a small file so that a reader sees the old content or the new, never a part.

    Raises:
        StoreError: The disk is full, or permission is missing.
    """
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        _write(fresh, data)
        os.replace(fresh, path)  # noqa: PTH105 - the one atomic step
        _flush(path.parent)
    except OSError as error:
        raise cannot_write(path, error) from error


def damage(folder: Path, files: dict[str, FileEntry]) -> list[str]:
    """Compare a folder with its manifest's files.

    Returns:
        One line per file that is missing, of another size, changed, or not in the manifest; none if sound.
    """
    found: list[str] = []
    for name, entry in files.items():
        path = folder / name
        if not path.is_file():
            found.append(f"{name} is missing")
        elif path.stat().st_size != entry.size:
            found.append(f"{name} has {path.stat().st_size} bytes, not {entry.size}")
        elif of_file(path) != entry.sha256:
            found.append(f"{name} has changed")
    known = {*files, MANIFEST}
    found += [
        f"{path.relative_to(folder).as_posix()} is not in the manifest"
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.relative_to(folder).as_posix() not in known
    ]
    return found


def cannot_write(path: Path, error: OSError) -> StoreError:
    """Turn a failed write into an error that names the cause and the way out."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        fix = "free some space (tuneloop gc removes what no ref reaches), then run the same command again"
    elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        fix = "give yourself write permission there, or choose another store with --store FOLDER"
    elif error.errno in (errno.ENOENT, errno.ENOTDIR):
        fix = "make the folder first, or name another one"
    else:
        fix = "check the disk, then run the same command again: finished work is kept"
    return StoreError(f"cannot write: {error.strerror or error}", where=str(path), fix=fix)


def encode(manifest: msgspec.Struct) -> bytes:
    """A manifest as it stands on disk: indented JSON, a final newline."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
