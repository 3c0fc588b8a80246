"""Digests: SHA-256 of files, of JSON values, and of folders as a manifest sees them."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import msgspec

_canonical = msgspec.json.Encoder(order="deterministic")
MANIFEST = "manifest.json"


class FileEntry(msgspec.Struct, frozen=True):
    """Size in bytes and SHA-256 (hexadecimal) of one file."""

    size: int
    sha256: str


def of_file(path: Path) -> str:
    """SHA-256 of a file's bytes, hexadecimal.

    Raises:
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def of_value(value: Any) -> str:
    """SHA-256 of a value's canonical JSON (keys sorted), hexadecimal.

    Example:
        >>> of_value({"a": 1, "b": 2}) == of_value({"b": 2, "a": 1})
        True
    """
    return hashlib.sha256(_canonical.encode(value)).hexdigest()


def of_folder(folder: Path) -> dict[str, FileEntry]:
    """Every file below a folder but its manifest, by its path relative to the folder, in sorted order."""
    entries: dict[str, FileEntry] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name != MANIFEST:
            entries[name] = FileEntry(path.stat().st_size, of_file(path))
    return entries
