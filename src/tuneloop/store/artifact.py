"""An artifact: one finished, unchanging folder with a manifest that names its files and its parents."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import msgspec

from tuneloop.store.digest import MANIFEST, FileEntry, of_value


class Manifest(msgspec.Struct, frozen=True):
    """What ``manifest.json`` holds.

    Attributes:
        kind: ``dataset``, ``run``, ``model``, ``report``, ``bundle``, ``release`` or ``study``.
        id: ``<kind>-<20 hexadecimal digits>``, from kind, parents and files alone.
        parents: Ids of the artifacts it was made from, by their role.
        key: Digest of everything that decided its content; the same key means "already done".
        files: Every file of the folder with its size and SHA-256.
        facts: Figures and names worth seeing without opening the files.
        tool_version: Version of tuneloop that made it.
        created: Seconds since the epoch.
    """

    kind: str
    id: str
    parents: dict[str, str]
    key: str
    files: dict[str, FileEntry]
    facts: dict[str, Any]
    tool_version: str
    created: float


def identify(kind: str, parents: dict[str, str], files: dict[str, FileEntry]) -> str:
    """The id that follows from an artifact's kind, parents and files.

    Example:
        >>> identify("report", {}, {}) == identify("report", {}, {})
        True
    """
    body = {"kind": kind, "parents": parents, "files": {name: entry.sha256 for name, entry in files.items()}}
    return f"{kind}-{of_value(body)[:20]}"


class Artifact:
    """An opened artifact; each kind is a subclass that gives its files names.

    Args:
        folder: The artifact's folder.
        manifest: Its manifest.
    """

    kind: ClassVar[str]

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.folder = folder
        self.manifest = manifest

    @property
    def id(self) -> str:
        """``<kind>-<20 hexadecimal digits>``."""
        return self.manifest.id

    @property
    def facts(self) -> dict[str, Any]:
        """Figures and names from the manifest."""
        return self.manifest.facts

    @property
    def parents(self) -> dict[str, str]:
        """Ids of the artifacts it was made from, by their role."""
        return self.manifest.parents

    def __repr__(self) -> str:
        return f"<{self.id}>"


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of an artifact's folder.

    Raises:
        OSError: There is none.
        msgspec.DecodeError: It is damaged.
    """
    return msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
