"""Accuracy: the label is the right one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

from tuneloop.evaluation.metrics import Metric


@final
class Accuracy(Metric):
    """1 where the label that a classifier chose is the right one, 0 where it is not; the mean is the accuracy.

    It is what a task with labels is measured by where the recipe names no metrics; macro F1, the figures of each label
    and the confusion matrix come with it.
    """

    def score(self, answers: Sequence[str], references: Sequence[str]) -> list[float]:
        """Compare each label with the right one."""
        return [float(answer == reference) for answer, reference in zip(answers, references, strict=True)]
