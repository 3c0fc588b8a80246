"""Lineage: what an artifact was made from, and what was made from it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from tuneloop.store.artifact import Manifest
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


def _walk(known: dict[str, Manifest], start: str, step: Callable[[Manifest], Iterable[str]]) -> list[Manifest]:
    order, seen = [start], {start}
    for id in order:
        for other in step(known[id]):
            if other not in seen and other in known:
                seen.add(other)
                order.append(other)
    return [known[id] for id in order]
