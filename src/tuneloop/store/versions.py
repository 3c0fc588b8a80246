"""Versions: what the dataset of a recipe was, one after the other, and tags that hold on to one of them."""

from __future__ import annotations

from dataclasses import dataclass

from tuneloop.errors import StoreError
from tuneloop.store.forgotten import age
from tuneloop.store.kinds import Dataset
from tuneloop.store.naming import composed
from tuneloop.store.refs import Move
from tuneloop.store.store import ELSEWHERE, Store

TAGS = "tags"


@dataclass(frozen=True)
class Version:
    """One move of a recipe's dataset.

    Attributes:
        move: When it came, why, and by whom.
        dataset: The dataset; None if its files are no longer in the store.
        before: The version before it, if there was one and it is still there.
        tags: Tags that hold on to it.
        note: Why its files are gone, if they are.
    """

    move: Move
    dataset: Dataset | None
    before: Dataset | None
    tags: tuple[str, ...]
    note: str


def history(store: Store, name: str) -> list[Version]:
    """The versions of a recipe's dataset, oldest first.

    Args:
        store: The store.
        name: The recipe's name, or the full name of a ref.

    Raises:
        StoreError: No dataset was ever made under the name.
    """
    name = composed(name)
    ref = name if "/" in name else f"{name}/dataset"
    moves = list(store.refs.log(ref))
    if not moves:
        known = sorted({move.name.partition("/")[0] for move in store.refs.log() if move.name.endswith("/dataset")})
        raise StoreError(
            f"no dataset was ever made under the name {name!r}",
            where=str(store.refs.path),
            fix=f"name one of {', '.join(known)}" if known else "make one: tuneloop prepare RECIPE",
        )
    named: dict[str, list[str]] = {}
    for tag, id in store.refs.all().items():
        if f"/{TAGS}/" in tag:
            named.setdefault(id, []).append(tag)
    found: list[Version] = []
    for move in moves:
        dataset, note = _open(store, move.id)
        before = found[-1].dataset if found else None
        found.append(Version(move, dataset, before, tuple(named.get(move.id, ())), note))
    return found


def tag(store: Store, name: str, tag: str, *, why: str = "tag", force: bool = False) -> Move:
    """Hold on to a dataset version under a name of its own: ``<recipe>/tags/<tag>``.

    Args:
        store: The store.
        name: The recipe's name, or a ref or id of a dataset.
        tag: The tag, such as ``audited-2026-01``.
        why: The reason, kept in the log.
        force: Move a tag that stands elsewhere.

    Raises:
        StoreError: There is no such dataset, or the tag holds on to another one.
    """
    name, tag = composed(name), composed(tag)
    ref = f"{name}/dataset"
    refs = store.refs.all()
    dataset = store.get(Dataset, ref if ref in refs else name)
    recipe = name if ref in refs else _recipe(store, dataset)
    full = f"{recipe}/{TAGS}/{tag}"
    if refs.get(full, dataset.id) != dataset.id and not force:
        raise StoreError(
            f"the tag {tag!r} holds on to {refs[full]}",
            where=full,
            fix="choose another tag, or move this one: --force",
        )
    return store.refs.move(full, dataset.id, why=why)


def _recipe(store: Store, dataset: Dataset) -> str:
    """The recipe under whose name a dataset was made."""
    found = next((move.name for move in store.refs.log() if move.id == dataset.id), "dataset")
    return found.partition("/")[0]


def _open(store: Store, id: str) -> tuple[Dataset | None, str]:
    instead = store.forgotten.replaced().get(id)
    try:
        return store.get(Dataset, id), ""
    except StoreError as error:
        if act := store.forgotten.tombstone(id):
            return None, f"deleted {age(act)}" + (f", replaced by {instead}" if instead else "")
        if not (store.root / "artifacts" / id).exists():
            return None, ELSEWHERE + (f", replaced by {instead}" if instead else "")
        return None, error.problems[0].what
