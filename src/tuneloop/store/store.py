"""The store: artifacts that rest, refs that point, and the work in progress, in one folder.

::

    .tuneloop/
      artifacts/<id>/      sealed, never changed again; the id is the digest of its files and parents
      refs.jsonl           the append-only log of every ref's moves
      work/<key>/          a run in progress, found again after a kill
      drafts/              folders being written; whatever a kill leaves here is rubbish
      incoming/            copies from other stores on their way in
      cache/               may be deleted at any time
      exchanges.db         served answers and feedback
      forgotten.jsonl      what was forgotten on request: digests and ids, no names
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any, TypeVar

from tuneloop.errors import StoreError
from tuneloop.store import seal as sealing
from tuneloop.store.artifact import Artifact, Manifest, identify, read_manifest
from tuneloop.store.digest import MANIFEST, of_folder
from tuneloop.store.disk import writing
from tuneloop.store.forgotten import Forgotten, age
from tuneloop.store.kinds import KINDS, Model, Release
from tuneloop.store.naming import composed, instead
from tuneloop.store.refs import Refs

A = TypeVar("A", bound=Artifact)
ELSEWHERE = "not in this store"
"""What is told of an artifact that a ref pointed at, and whose files were never brought here."""


class Store:
    """A folder of artifacts and refs; it is made when it is not there.

    Args:
        root: The folder, ``.tuneloop`` by default.

    Example:
        >>> import tempfile
        >>> store = Store(tempfile.mkdtemp())
        >>> store.artifacts()
        []
    """

    def __init__(self, root: Path | str = ".tuneloop") -> None:
        self.root = Path(root)
        self.refs = Refs(self.root / "refs.jsonl")
        self.forgotten = Forgotten(self.root / "forgotten.jsonl")
        with writing(self.root):
            for folder in ("artifacts", "work", "drafts", "cache"):
                (self.root / folder).mkdir(parents=True, exist_ok=True)

    # --- putting in ------------------------------------------------------------------------------

    @contextmanager
    def draft(self) -> Iterator[Path]:
        """Give an empty folder to write an artifact's files in; it vanishes unless it is sealed."""
        with writing(self.root / "drafts"):
            folder, held = _held_folder(self.root / "drafts")
            try:
                yield folder
            finally:
                shutil.rmtree(folder, ignore_errors=True)
                os.close(held)

    def seal(self, kind: type[A], folder: Path, *, parents: dict[str, str], key: str, facts: dict[str, Any]) -> A:
        """Make a finished folder an artifact: name it by its content and move it in, in one atomic step.

        Args:
            kind: The kind of artifact.
            folder: The folder with all its files, inside this store.
            parents: Ids of the artifacts it was made from, by role.
            key: Digest of everything that decided the content.
            facts: Figures and names worth seeing without opening the files.

        Returns:
            The artifact; the one that was there before, if the same had been sealed already.

        Raises:
            StoreError: It cannot be written.
        """
        files = of_folder(folder)
        id = identify(kind.kind, parents, files)
        final = self.root / "artifacts" / id
        if not final.exists():
            manifest = Manifest(kind.kind, id, parents, key, files, facts, metadata.version("tuneloop"), time.time())
            sealing.seal(folder, final, sealing.encode(manifest))
        return kind(final, read_manifest(final))

    @contextmanager
    def work(self, key: str) -> Iterator[Path]:
        """Hold the folder of a piece of long work, so that a second process cannot enter it.

        It stays when the process dies, to be found again under the same key.

        Raises:
            StoreError: Another process is at this work.
        """
        folder = self.root / "work" / key[:20]
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(folder.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise StoreError(
                "another process is at this very work", where=str(folder), fix="wait for it, or stop it first"
            ) from None
        try:
            yield folder
        finally:
            os.close(descriptor)

    # --- finding ---------------------------------------------------------------------------------

    def artifacts(self, kind: type[Artifact] | None = None) -> list[Manifest]:
        """The manifests of all artifacts, oldest first; of one kind where it is given."""
        prefix = f"{kind.kind}-" if kind else ""
        found = []
        for folder in (self.root / "artifacts").iterdir():
            if folder.name.startswith(prefix) and (folder / MANIFEST).exists():
                found.append(self._manifest(folder))
        return sorted(found, key=lambda manifest: (manifest.created, manifest.id))

    def find(self, kind: type[A], key: str) -> A | None:
        """The newest artifact of a kind that was made with this key, if there is one that holds nothing forgotten."""
        held = self.forgotten.held()
        for manifest in reversed(self.artifacts(kind)):
            if manifest.key == key and manifest.id not in held:
                return kind(self.root / "artifacts" / manifest.id, manifest)
        return None

    def resolve(self, name: str) -> str:
        """Find the id that a name means: a ref, the end of a ref (``champion``), an id or its beginning.

        Raises:
            StoreError: Nothing, or more than one thing, has the name.
        """
        refs, name = self.refs.all(), composed(name)
        if name in refs:
            return refs[name]
        if (self.root / "artifacts" / name / MANIFEST).exists() and "/" not in name:
            return name
        if self.forgotten.tombstone(name):
            return name
        ids = [folder.name for folder in (self.root / "artifacts").iterdir()]
        found = {id for id in ids if len(name) >= 4 and (id.startswith(name) or id.split("-", 1)[-1].startswith(name))}
        ending = {ref: id for ref, id in refs.items() if ref.endswith(f"/{name}")}
        found |= set(ending.values())
        if len(found) == 1:
            return found.pop()
        if found:
            meant = sorted([*ending, *(found - set(ending.values()))])
            raise StoreError(
                f"{name!r} means more than one", where=str(self.root), fix=f"say which: {', '.join(meant)}"
            )
        if any(move.id == name for move in self.refs.log()):
            there = self.forgotten.replaced().get(name)
            fix = f"take {there} in its place" if there else f"bring it here: tuneloop pull REMOTE {name}"
            raise StoreError(f"{name} is {ELSEWHERE}", where=str(self.root), fix=fix)
        raise StoreError(f"nothing is called {name!r}", where=str(self.root), fix=instead(name, refs))

    def open(self, name: str) -> Artifact:
        """Open the artifact that a name means (see :meth:`resolve`).

        Raises:
            StoreError: There is none, or its manifest is damaged.
        """
        folder = self.root / "artifacts" / self.resolve(name)
        if not folder.exists() and (act := self.forgotten.tombstone(folder.name)):
            instead = self.forgotten.replaced().get(folder.name)
            raise StoreError(
                f"{folder.name} was deleted on {age(act)} because of rows that were forgotten on request",
                where=act.id,
                fix=f"take {instead} in its place" if instead else "make it anew: tuneloop run RECIPE",
            )
        manifest = self._manifest(folder)
        return KINDS[manifest.kind](folder, manifest)

    def get(self, kind: type[A], name: str) -> A:
        """Open the artifact of one kind that a name means; a recipe's name alone means its newest one of the kind.

        Raises:
            StoreError: There is none, or it is of another kind.
        """
        refs, own = self.refs.all(), f"{composed(name)}/{kind.kind}"
        found = self.open(own if own in refs and name not in refs else name)
        if not isinstance(found, kind):
            raise StoreError(
                f"{name!r} is a {found.kind}, not a {kind.kind}",
                where=found.id,
                fix=f"name a {kind.kind}: tuneloop runs",
            )
        return found

    def model(self, name: str) -> Model:
        """Open the model that a name means, or the model of the release that it means.

        Raises:
            StoreError: There is none, or it is neither a model nor a release.
        """
        found = self.open(name)
        return self.get(Model, found.parents["model"] if isinstance(found, Release) else found.id)

    def verify(self, name: str) -> None:
        """Compare every file of an artifact with the digests in its manifest.

        Raises:
            StoreError: A file is missing, added or changed.
        """
        artifact = self.open(name)
        found = sealing.damage(artifact.folder, artifact.manifest.files)
        if identify(artifact.manifest.kind, artifact.parents, artifact.manifest.files) != artifact.folder.name:
            found.append("the manifest does not belong to this id")
        if found:
            raise StoreError(
                f"{artifact.id} is damaged: {'; '.join(found[:5])}",
                where=str(artifact.folder),
                fix="restore the folder from a copy, or delete it and run the recipe again",
            )

    def _manifest(self, folder: Path) -> Manifest:
        try:
            manifest = read_manifest(folder)
        except (OSError, ValueError) as error:  # a flipped byte breaks JSON or UTF-8
            raise StoreError(
                f"the manifest cannot be read: {error}",
                where=str(folder / MANIFEST),
                fix="restore the folder from a copy, or delete it and run the recipe again",
            ) from error
        return manifest


def _held_folder(parent: Path) -> tuple[Path, int]:
    """Make a folder and hold its lock, by which others see that a living process writes in it."""
    while True:
        folder = Path(tempfile.mkdtemp(dir=parent))
        try:
            descriptor = os.open(folder, os.O_RDONLY)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if folder.exists():
                folder.chmod(0o755)
                return folder, descriptor
            os.close(descriptor)
        except FileNotFoundError:
            continue  # somebody swept it away before it was held
