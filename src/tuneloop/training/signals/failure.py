"""Failure: a figure of a run is no number, so the run cannot go on."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tuneloop.errors import TrainingError


class NotFinite(TrainingError):
    """A loss or gradient is NaN or infinite.

    Args:
        what: What is wrong.
        where: The rows.
        fix: What to write or look at.
        split: The split whose rows were read.
        step: The optimizer step, counted from 1; of an evaluation the one before it.
        figures: The figures that are no numbers, by their signals' names.
        rows: What single rows lost, with the fields of :data:`tuneloop.monitoring.row_losses.FIELDS`.

    Attributes:
        split: As given.
        step: As given.
        figures: As given.
        rows: As given.
    """

    def __init__(
        self, what: str, *, where: str, fix: str, split: str, step: int, figures: Mapping[str, float], rows: np.ndarray
    ) -> None:
        super().__init__(what, where=where, fix=fix)
        self.split, self.step, self.figures, self.rows = split, step, figures, rows
        self.rows["step"] = step
