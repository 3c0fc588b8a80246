"""Progress: how long work tells whoever started it how far it is. Only the command line draws it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class Progress(Protocol):
    """Takes what a stage reports while it works."""

    def start(self, what: str, total: int | None = None) -> None:
        """A piece of work begins.

        Args:
            what: What is done, in a few words: ``reading rows``.
            total: How many units it has, where that is known.
        """

    def advance(self, done: int, figures: Mapping[str, float] | None = None) -> None:
        """The piece of work has come so far.

        Args:
            done: Units done in all.
            figures: What is worth showing beside it, such as ``{"train/loss": 2.1}``.
        """

    def note(self, text: str) -> None:
        """Something a person should know now, in one line."""


class Silent:
    """Shows nothing: the default of the Python API."""

    def start(self, what: str, total: int | None = None) -> None:
        """Ignore it."""

    def advance(self, done: int, figures: Mapping[str, float] | None = None) -> None:
        """Ignore it."""

    def note(self, text: str) -> None:
        """Ignore it."""
