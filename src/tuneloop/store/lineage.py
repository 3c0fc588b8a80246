"""Lineage: what an artifact was made from, and what was made from it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from tuneloop.store.artifact import Manifest
from tuneloop.store.forgotten import refuse
from tuneloop.store.store import Store


def ancestors(store: Store, id: str) -> list[Manifest]:
    """All artifacts that one was made from, itself first, nearest first.

    Raises:
        StoreError: The artifact is not there.
    """
    start = store.open(id).id
    known = {manifest.id: manifest for manifest in store.artifacts()}
    return _walk(known, start, lambda manifest: manifest.parents.values())


def descendants(store: Store, id: str) -> list[Manifest]:
    """All artifacts that were made from one, itself first, nearest first.

    Raises:
        StoreError: The artifact is not there.
    """
    start = store.open(id).id
    known = {manifest.id: manifest for manifest in store.artifacts()}
    children: dict[str, list[str]] = {}
    for manifest in known.values():
        for parent in manifest.parents.values():
            children.setdefault(parent, []).append(manifest.id)
    return _walk(known, start, lambda manifest: children.get(manifest.id, []))


def fit(store: Store, id: str, doing: str) -> None:
    """Make sure that a release or model may go on: it is whole, and learned from nothing that was forgotten.

    Args:
        store: The store.
        id: Id of the release or model.
        doing: What it is wanted for: ``promote``.

    Raises:
        StoreError: A file is missing or changed, or it goes back to rows that were forgotten on request.
    """
    known = {manifest.id: manifest for manifest in store.artifacts()}
    start = store.open(id).id
    store.verify(start)
    if known[start].kind == "release":
        store.verify(known[start].parents["model"])
    # a dataset that holds nothing forgotten is fit, whatever version it continued
    chain = _walk(known, start, lambda manifest: () if manifest.kind == "dataset" else manifest.parents.values())
    refuse(store.forgotten, [manifest.id for manifest in chain], doing)


def _walk(known: dict[str, Manifest], start: str, step: Callable[[Manifest], Iterable[str]]) -> list[Manifest]:
    order, seen = [start], {start}
    for id in order:
        for other in step(known[id]):
            if other not in seen and other in known:
                seen.add(other)
                order.append(other)
    return [known[id] for id in order]
