"""Exact match: the answer is the reference, sign by sign."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

from tuneloop.evaluation.metrics import Metric


@final
class ExactMatch(Metric):
    """1 where the answer equals its reference, 0 where it does not; white space around both is ignored.

    Nothing else is forgiven: not case, not punctuation, not the spaces inside.
    """

    def score(self, answers: Sequence[str], references: Sequence[str]) -> list[float]:
        """Compare each answer with its reference after stripping white space at both ends."""
        return [float(a.strip() == r.strip()) for a, r in zip(answers, references, strict=True)]
