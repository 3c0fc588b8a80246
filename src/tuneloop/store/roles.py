"""Roles: the refs of one recipe, ``<name>/dataset``, ``<name>/model``, ``<name>/champion`` and so on."""

from __future__ import annotations

from typing import TypeVar

from tuneloop.store.artifact import Artifact
from tuneloop.store.kinds import Model
from tuneloop.store.lineage import ancestors
from tuneloop.store.store import Store

A = TypeVar("A", bound=Artifact)


class Roles:
    """The refs that begin with a recipe's name.

    Args:
        store: The store.
        name: The recipe's name.
    """

    def __init__(self, store: Store, name: str) -> None:
        self.store = store
        self.name = name

    def holder(self, role: str, kind: type[A]) -> A | None:
        """What holds a role now; None if nothing does."""
        id = self.store.refs.all().get(f"{self.name}/{role}")
        return self.store.get(kind, id) if id else None

    def give(self, role: str, artifact: Artifact, *, why: str) -> None:
        """Give a role to an artifact, unless its holder is that artifact or came of it.

        Doing an act again finds the artifact of the first time; what was made of it since keeps the role.
        """
        id = self.store.refs.all().get(f"{self.name}/{role}")
        if id is None or not self._came_of(id, artifact):
            self.store.refs.move(f"{self.name}/{role}", artifact.id, why=why)

    def newest(self, artifact: A) -> A:
        """The holder of the artifact's own kind if it came of the artifact (a retrained model), else the artifact."""
        held = self.holder(artifact.kind, type(artifact))
        return held if held is not None and self._came_of(held.id, artifact) else artifact

    def of_model(self, kind: type[A], model: Model) -> A | None:
        """The latest artifact of a kind (report, bundle), if it is of that model."""
        held = self.holder(kind.kind, kind)
        return held if held is not None and held.parents.get("model") == model.id else None

    def _came_of(self, id: str, artifact: Artifact) -> bool:
        return any(manifest.id == artifact.id for manifest in ancestors(self.store, id))
