"""Metrics: a score from generated answers and their references. A new one is one file with one method."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from tuneloop.parts import Part


class Metric(Part, ABC):
    """Scores answers, each by itself, so that samples can show their score."""

    @abstractmethod
    def score(self, answers: Sequence[str], references: Sequence[str]) -> list[float]:
        """Score each answer against its reference.

        Args:
            answers: What the model wrote.
            references: What it should have written, in the same order.

        Returns:
            One score per answer, 0 (worst) to 1 (best).
        """
