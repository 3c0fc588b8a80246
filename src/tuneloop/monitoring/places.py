"""Places: where runs lie, in a store, a folder of runs or a run's own folder; only read, and on slow disks too."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import msgspec

from tuneloop.store.artifact import Manifest, read_manifest
from tuneloop.store.refs import Refs

SIGNALS, RECIPE = "signals.jsonl", "recipe.yaml"
_ELSEWHERE = ("nfs", "cifs", "smb", "fuse", "9p", "ceph", "lustre", "afs", "virtiofs", "glusterfs")


@dataclass(frozen=True)
class Place:
    """Where one run lies.

    Attributes:
        id: The artifact's id, or the folder's name where it is not sealed.
        folder: The folder with ``signals.jsonl``.
        manifest: What is known of a sealed run.
        lock: The file that a process holds while it is at the run, where there is such a file.
        names: The refs that point at it.
    """

    id: str
    folder: Path
    manifest: Manifest | None = None
    lock: Path | None = None
    names: tuple[str, ...] = ()


class Places:
    """The runs below a folder, and what they were made from and became.

    Nothing is ever written, and what cannot be read now (a mount that is away, half a manifest) is left out.

    Args:
        root: A store, one run's folder, or a folder with several of them.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._sealed: dict[str, Manifest] = {}

    def all(self) -> list[Place]:
        """Every run that can be seen now: the sealed ones by age, then those in the work folder and beside it."""
        names = self.names()
        sealed = [
            Place(each.id, self.folder(each.id), each, None, names.get(each.id, ()))
            for each in self.manifests()
            if each.kind == "run"
        ]
        beside = [] if (self.root / "artifacts").is_dir() else [self.root, *_folders(self.root)]
        open_ones = [
            Place(_name(folder), folder, None, folder.with_suffix(".lock") if folder.parent.name == "work" else None)
            for folder in (*_folders(self.root / "work"), *beside)
            if (folder / SIGNALS).exists() or (folder / RECIPE).exists()
        ]
        return sealed + sorted(open_ones, key=lambda place: (_changed(place.folder), place.id))

    def manifests(self) -> list[Manifest]:
        """What all artifacts say of themselves, oldest first; each is read once, since it never changes."""
        there = {folder.name: folder for folder in _folders(self.root / "artifacts")}
        for name in self._sealed.keys() - there.keys():
            del self._sealed[name]
        for name in there.keys() - self._sealed.keys():
            try:
                self._sealed[name] = read_manifest(there[name])
            except (OSError, ValueError, msgspec.MsgspecError):
                continue
        return sorted(self._sealed.values(), key=lambda manifest: (manifest.created, manifest.id))

    def folder(self, id: str) -> Path:
        """The folder of an artifact."""
        return self.root / "artifacts" / id

    def names(self) -> dict[str, tuple[str, ...]]:
        """The refs that point at each artifact, by its id."""
        found: dict[str, tuple[str, ...]] = {}
        try:
            for ref, id in Refs(self.root / "refs.jsonl").all().items():
                found[id] = (*found.get(id, ()), ref)
        except (OSError, msgspec.MsgspecError):
            return found
        return found

    def sealed(self, key: str) -> Place | None:
        """The newest sealed run whose key begins so: what the run in a work folder of that name became."""
        return next(
            (place for place in reversed(self.all()) if place.manifest and place.manifest.key[:20] == key), None
        )


def held(lock: Path | None) -> bool | None:
    """Whether a process holds a run's lock; None where that cannot be told from here.

    A lock on a disk of another machine may be held there without anybody knowing here.
    """
    if lock is None or elsewhere(lock.parent):
        return None
    try:
        with lock.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    except OSError:
        return None
    return False


@cache
def elsewhere(folder: Path) -> bool:
    """Whether a folder lies on a disk of another machine (NFS, sshfs and the like)."""
    best, kind = Path(), ""
    try:
        lines = Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()
        whole = folder.resolve()
    except OSError:
        return False
    for line in lines:
        _, point, system, *_ = line.split(" ")
        mounted = Path(point.replace("\\040", " "))
        if whole.is_relative_to(mounted) and len(mounted.parts) >= len(best.parts):
            best, kind = mounted, system
    return kind.startswith(_ELSEWHERE)


def _folders(parent: Path) -> Iterator[Path]:
    try:
        yield from sorted(path for path in parent.iterdir() if path.is_dir())
    except OSError:
        return


def _changed(folder: Path) -> float:
    """When a run's figures last grew; 0 where that cannot be told."""
    try:
        return (folder / SIGNALS).stat().st_mtime
    except OSError:
        return 0.0


def _name(folder: Path) -> str:
    return folder.name or folder.resolve().name
