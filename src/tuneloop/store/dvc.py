"""Push and pull through DVC with Git: Git keeps refs, manifests and pointers, DVC carries the files.

::

    work tree/
      .git/  .dvc/                        yours: git init, dvc init, dvc remote add -d NAME PLACE
      tuneloop/
        refs.jsonl  forgotten.jsonl       in Git; two people's moves are merged line by line
        manifests/<id>.json               in Git: lineage is known before any file is fetched
        artifacts/<id>.dvc                in Git: DVC's pointer
        artifacts/<id>/                   DVC's: in its cache, and at its remote

DVC's own command does the carrying, so every remote that DVC reaches (a folder, SSH, S3, ...) is reached, with DVC's
own configuration and credentials.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from tuneloop.errors import MissingPackage, StoreError
from tuneloop.store.artifact import Manifest
from tuneloop.store.digest import MANIFEST
from tuneloop.store.disk import writing
from tuneloop.store.remote import Sent, carry, plan, settle, transfer
from tuneloop.store.seal import encode, replace
from tuneloop.store.store import Store

INSIDE = "tuneloop"
IGNORED = "work/\ndrafts/\ncache/\nincoming/\n*.lock\n"
UNION = "*.jsonl merge=union\n"
QUIET = {"DVC_NO_ANALYTICS": "1", "ITERATIVE_DO_NOT_TRACK": "1", "CI": "1", "GIT_TERMINAL_PROMPT": "0"}
"""Nothing is reported to anybody, no newer version is looked for, and nobody is asked for a password unseen."""


def is_work_tree(folder: Path) -> bool:
    """Whether a folder is a Git repository's work tree in which DVC was set up."""
    return (folder / ".dvc" / "config").exists()


def push(
    store: Store,
    folder: Path,
    names: Sequence[str] = (),
    *,
    only: bool = False,
    force: bool = False,
    verify: bool = False,
    told: Callable[[int, int], None] = lambda _done, _total: None,
    note: Callable[[str], None] = lambda _: None,
) -> Sent:
    """Copy artifacts into a work tree, give them to DVC, push them to its remote, and commit the pointers.

    The refs are moved and committed only when everything they point at is at the remote.

    Args:
        store: The store.
        folder: The work tree.
        names: Refs, recipes' names or ids; by default all refs.
        only: Leave out what they were made from.
        force: Move refs that were moved on both sides, too.
        verify: Give DVC again what it has already.
        told: Called with the bytes done and the bytes there are.
        note: Takes what a person should know meanwhile.

    Raises:
        StoreError: As :func:`~tuneloop.store.remote.transfer`, or Git or DVC fails.
        MissingPackage: DVC or Git is not installed.
    """
    shared = _merged(folder)
    inner = _inside(folder)
    planned = plan(store, inner, names, only=only, force=force)
    known = set() if verify else _pointers(inner)
    fresh = [manifest for manifest in planned.wanted if manifest.id not in known]
    sent = carry(fresh, store, inner, verify=verify, told=told)
    sent.present = [manifest.id for manifest in planned.wanted if manifest.id not in {*sent.copied, *sent.mended}]
    for manifest in planned.wanted:
        replace(inner.root / "manifests" / f"{manifest.id}.json", encode(manifest))
    targets = [f"artifacts/{manifest.id}" for manifest in fresh]
    if targets:
        note(f"dvc add and push of {len(targets)} artifacts")
        _run(inner.root, "dvc", "add", "--quiet", *targets)
    _run(inner.root, "dvc", "push", "--quiet", *(f"artifacts/{manifest.id}.dvc" for manifest in planned.wanted))
    settle(planned, store, inner, sent)
    _commit(folder, f"tuneloop push: {', '.join(names) or 'all refs'}")
    if shared:
        _run(folder, "git", "push", "--quiet")
    else:
        note("the commit is on this machine only: its branch follows none elsewhere (git push -u origin BRANCH)")
    return sent


def pull(
    store: Store,
    folder: Path,
    names: Sequence[str] = (),
    *,
    only: bool = False,
    force: bool = False,
    verify: bool = False,
    told: Callable[[int, int], None] = lambda _done, _total: None,
    note: Callable[[str], None] = lambda _: None,
) -> Sent:
    """Fetch what names mean by Git and DVC into a work tree, check it, and take it over into the store.

    Args:
        store: The store.
        folder: The work tree.
        names: Refs, recipes' names or ids; by default all refs.
        only: Leave out what they were made from.
        force: Move refs that were moved on both sides, too.
        verify: Read again what the store has already, and mend what is damaged.
        told: Called with the bytes done and the bytes there are.
        note: Takes what a person should know meanwhile.

    Raises:
        StoreError: As :func:`~tuneloop.store.remote.transfer`, or Git or DVC fails, or files are not at the remote.
        MissingPackage: DVC or Git is not installed.
    """
    _merged(folder)
    inner = _inside(folder)
    meant = _meant(inner, names)
    missing = [id for id in _behind(inner, meant, only=only) if not (inner.root / "artifacts" / id / MANIFEST).exists()]
    if missing:
        note(f"dvc pull of {len(missing)} artifacts")
        _fetch(inner, missing)
    return transfer(inner, store, meant, only=only, force=force, verify=verify, told=told)


def _inside(folder: Path) -> Store:
    """The store inside a work tree; what Git must not keep of it is ignored."""
    store = Store(folder / INSIDE)
    with writing(store.root):
        (store.root / "manifests").mkdir(exist_ok=True)
        for name, text in ((".gitignore", IGNORED), (".gitattributes", UNION)):
            if not (store.root / name).exists():
                (store.root / name).write_text(text, encoding="utf-8")
    return store


def _pointers(store: Store) -> set[str]:
    return {path.stem for path in (store.root / "artifacts").glob("*.dvc")}


def _meant(store: Store, names: Sequence[str]) -> list[str]:
    """The full names of refs and artifacts that names mean; all refs where none is given.

    Raises:
        StoreError: Nothing, or more than one artifact, has one of the names.
    """
    refs = store.refs.all()
    known = [path.stem for path in (store.root / "manifests").glob("*.json")]
    meant = [] if names else list(refs)
    for name in names:
        found = [ref for ref in refs if ref == name or ref.startswith(f"{name}/") or ref.endswith(f"/{name}")]
        found = found or [id for id in known if id.startswith(name) or id.partition("-")[2].startswith(name)]
        if not found or (len(found) > 1 and found[0] in known):
            raise StoreError(
                f"{name!r} means {'more than one artifact' if found else 'nothing'} there",
                where=str(store.root),
                fix=f"name one of {', '.join(sorted(refs))}, or the whole id of an artifact",
            )
        meant += found
    return meant


def _behind(store: Store, meant: Sequence[str], *, only: bool) -> list[str]:
    """The ids that refs and ids mean, and unless ``only`` all that they were made from, by the manifests in Git."""
    refs = store.refs.all()
    walk = list(dict.fromkeys(refs.get(name, name) for name in meant))
    for id in walk:
        path = store.root / "manifests" / f"{id}.json"
        if not only and path.exists():
            parents = msgspec.json.decode(path.read_bytes(), type=Manifest).parents
            walk += [parent for parent in parents.values() if parent not in walk]
    known = _pointers(store)
    return [id for id in walk if id in known]


def _fetch(store: Store, ids: Sequence[str]) -> None:
    """Let DVC fetch artifacts; where it cannot fetch them all, those are named that are not to be had.

    Raises:
        StoreError: Some cannot be fetched; the others have arrived.
    """
    try:
        _run(store.root, "dvc", "pull", "--quiet", *(f"artifacts/{id}.dvc" for id in ids))
    except StoreError as error:  # DVC then fetches nothing at all
        failed = [id for id in ids if not _fetched(store, id)]
        if failed:
            raise StoreError(
                f"{len(failed)} of {len(ids)} artifacts cannot be fetched: {', '.join(failed)}",
                where=str(store.root),
                fix=f"push them from where they are (tuneloop push); DVC said: {error.problems[0].what}",
            ) from error


def _fetched(store: Store, id: str) -> bool:
    try:
        _run(store.root, "dvc", "pull", "--quiet", f"artifacts/{id}.dvc")
    except StoreError:
        return False
    return True


def _merged(folder: Path) -> bool:
    """Take over what others committed; whether the branch follows one elsewhere."""
    try:
        _run(folder, "git", "rev-parse", "--abbrev-ref", "@{upstream}")
    except StoreError:
        return False
    _run(folder, "git", "pull", "--quiet", "--no-rebase", "--no-edit")
    return True


def _commit(folder: Path, message: str) -> None:
    _run(folder, "git", "add", "--", INSIDE)
    if _run(folder, "git", "status", "--porcelain", "--", INSIDE):
        _run(folder, "git", "commit", "--quiet", "-m", message, "--", INSIDE)


def _run(folder: Path, program: str, *words: str) -> str:
    """Run Git or DVC.

    Returns:
        What it printed.

    Raises:
        StoreError: It failed.
        MissingPackage: It is not installed.
    """
    done = subprocess.run(  # noqa: S603 - the words are ours, ids and names of refs
        [_found(program), *words], cwd=folder, env=os.environ | QUIET, capture_output=True, text=True, check=False
    )
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or ["it said nothing"]
        raise StoreError(
            f"{program} {words[0]} failed: {' '.join(said[-3:])}",
            where=str(folder),
            fix=f"mend what it says there ({program} status shows more), then run the same command again",
        )
    return done.stdout


def _found(program: str) -> str:
    beside = Path(sys.executable).with_name(program)
    found = str(beside) if beside.exists() else shutil.which(program)
    if found is None:
        raise MissingPackage(
            f"this needs the command {program}, which is not there",
            where="push or pull through DVC",
            fix="pip install 'tuneloop[dvc]'" if program == "dvc" else "install Git",
        )
    return found
