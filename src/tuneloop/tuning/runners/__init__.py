"""Runners: where trials are trained. A new one is one file that opens a crew of workers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tuneloop.parts import Part
from tuneloop.tuning.trials import Order, Outcome

Score = Callable[[Order], Outcome]
"""Trains a trial and says how good it is: a function at the top of a module, so that other processes find it."""


@dataclass(frozen=True)
class Place:
    """Where and with what the trials of a search are trained.

    Attributes:
        score: Trains a trial.
        workers: Trials at the same time.
        folder: The work folder of the search; workers write their logs there.
    """

    score: Score
    workers: int
    folder: Path


class Crew(Protocol):
    """Workers at work."""

    def give(self, order: Order) -> None:
        """Give an order to a worker that is free."""

    def take(self) -> Outcome:
        """Wait for the next outcome of an order that was given."""


class Runner(Part, ABC):
    """Trains the trials of a search."""

    @abstractmethod
    def open(self, place: Place) -> AbstractContextManager[Crew]:
        """Open a crew; when it is closed, none of its workers is left."""
