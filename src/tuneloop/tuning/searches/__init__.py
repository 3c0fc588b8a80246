"""Searches: how the next trial is chosen. A new one is one file; what it proposes follows from what was tried alone."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import ClassVar

from tuneloop.parts import Part
from tuneloop.tuning.space import Space, Values
from tuneloop.tuning.trials import Trial

DRAWS = 20
"""So often another trial is drawn where the one drawn was tried already."""


@dataclass(frozen=True)
class Known:
    """What a search knows.

    Attributes:
        space: What is varied.
        trials: What was tried, in the order of proposals.
        most: Trials at most.
        sign: What a score is multiplied with so that lower is better.
        seed: Seed of everything random.
    """

    space: Space
    trials: Sequence[Trial]
    most: int
    sign: int
    seed: int

    def loss(self, trial: Trial, share: float) -> float | None:
        """How bad a trial is at a share of its training: lower is better; infinite where it failed."""
        score = trial.at(share)
        return score if score is None or math.isinf(score) else score * self.sign

    def fresh(self, draw: Callable[[Random], Values]) -> Values | None:
        """Values that were not tried yet; None where there are none, or as many as may be were tried.

        Args:
            draw: Draws values with a generator, which is another one for each trial and each attempt.
        """
        number, tried = len(self.trials), [trial.values for trial in self.trials]
        if number >= self.most:
            return None
        for attempt in range(DRAWS):
            values = draw(Random(f"{self.seed}/{number}/{attempt}"))
            if values not in tried:
                return values
        left = [cell for cell in self.space.cells() if cell not in tried]
        return Random(f"{self.seed}/{number}").choice(left) if left else None


@dataclass(frozen=True)
class Proposal:
    """What to do next: train a trial, new or known, up to a share of its training."""

    trial: int
    values: Values
    share: float = 1.0


class Search(Part, ABC):
    """Chooses the next trial from those that were tried."""

    exhaustive: ClassVar[bool] = False
    """Whether it tries every cell of the space where nobody says how many."""

    @abstractmethod
    def propose(self, known: Known) -> Proposal | None:
        """Choose what to do next; the same for the same knowledge.

        Returns:
            None where there is nothing to do before a trial that is being trained has ended, or nothing at all.
        """

    @abstractmethod
    def rungs(self) -> tuple[float, ...]:
        """Shares of a whole training at which trials are compared, rising; the last is 1."""
