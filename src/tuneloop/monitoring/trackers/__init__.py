"""Trackers: where a run's figures go besides its own file. A new one is one file with one method.

A tracker only ever reads what the run has written down, in another process than the run's: one that is down or slow
costs the run nothing, and gets what it missed later.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec

from tuneloop.parts import Part
from tuneloop.rows import Signal

LOCAL = "trackers"
"""Folder of the store for what trackers keep on this machine."""


class About(msgspec.Struct, frozen=True):
    """What is told of a run, besides its figures.

    Attributes:
        name: The recipe's name.
        key: What the run is found by again, while it goes on and after.
        root: The store's folder.
        recipe: The resolved recipe.
    """

    name: str
    key: str
    root: str
    recipe: dict[str, Any]

    @property
    def local(self) -> Path:
        """The folder for what trackers keep on this machine."""
        return Path(self.root) / LOCAL


class Version(msgspec.Struct, frozen=True):
    """A model as a registry lists it.

    Attributes:
        model: The model's id.
        run: The key of the run that made it; empty where that is not known.
        aliases: The roles it has now, such as ``champion``.
    """

    model: str
    run: str
    aliases: tuple[str, ...]


class Journal(Protocol):
    """One run in a tracker, open for writing. Every method may raise :class:`OSError`: then it is tried again later."""

    def log(self, signals: Sequence[Signal]) -> int:
        """Write figures that are not there yet, and say how many these were."""

    def finish(self, files: Mapping[str, Path], tags: Mapping[str, str]) -> None:
        """Write what there is only once the run is over.

        Args:
            files: Files by the names they get, such as ``model/card.md``.
            tags: Ids of the run and of what came of it and went into it.
        """

    def close(self) -> None:
        """Let go of it; the run may go on."""


class Tracker(Part, ABC):
    """Takes the figures of a run."""

    @abstractmethod
    def open(self, about: About) -> Journal:
        """Open the run in the tracker, or go on with it where it is there already.

        Args:
            about: Which run it is, and its recipe.

        Raises:
            MissingPackage: The tracker's package is not installed.
            OSError: It cannot be reached.
        """

    def mirror(self, name: str, root: Path, versions: Sequence[Version]) -> None:
        """List models with the roles they have now; a tracker without a registry of models leaves it.

        Args:
            name: The recipe's name.
            root: The store's folder.
            versions: All models of that name that have or had a role.

        Raises:
            MissingPackage: The tracker's package is not installed.
            OSError: It cannot be reached.
        """


def flat(recipe: Mapping[str, Any], above: str = "") -> dict[str, str]:
    """The options of a recipe by their paths, as text.

    Example:
        >>> flat({"train": {"optimizer": {"adamw": {"betas": [0.9, 0.999]}}, "stop": None}})
        {'train.optimizer.adamw.betas': '[0.9,0.999]', 'train.stop': 'null'}
    """
    found: dict[str, str] = {}
    for key, value in recipe.items():
        if isinstance(value, Mapping) and value:
            found |= flat(value, f"{above}{key}.")
        else:
            text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
            found[f"{above}{key}"] = text
    return found
