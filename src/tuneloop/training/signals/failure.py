"""Failure: a figure of a run is no number, so the run cannot go on."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from torch import nn

from tuneloop.errors import TrainingError

NAMED = 3
"""Damaged weights that an error names."""
DAMAGED = "model/not_finite"
"""Figure: weights that are NaN or infinite when a run fails."""


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

    @classmethod
    def of(
        cls,
        model: nn.Module,
        what: str,
        *,
        where: str,
        fix: str,
        split: str,
        step: int,
        figures: Mapping[str, float],
        rows: np.ndarray,
    ) -> NotFinite:
        """The failure of a model: where its own weights are no numbers, these are named instead of rows.

        Args:
            model: The model that failed.
            what: As for the class.
            where: As for the class.
            fix: As for the class.
            split: As for the class.
            step: As for the class.
            figures: As for the class.
            rows: As for the class.
        """
        broken = damaged(model)
        if broken:
            what = f"{what}: {sum(broken.values()):,} of the model's weights are no numbers"
            where = ", ".join(list(broken)[:NAMED])
            fix = "these weights are damaged: fetch the base again, or take another one; no row and no rate is to blame"
            if step > 0:
                fix = "if the base itself is whole, the steps were too large: lower train.optimizer learning_rate"
            figures = {**figures, DAMAGED: sum(broken.values())}
        return cls(what, where=where, fix=fix, split=split, step=step, figures=figures, rows=rows)


def damaged(model: nn.Module) -> dict[str, int]:
    """How many values of each weight are NaN or infinite; those of which none is are left out."""
    found: dict[str, int] = {}
    for name, weight in model.named_parameters():
        mine = getattr(weight, "to_local", lambda weight=weight: weight)()  # this process's part of a shared one
        if mine.is_floating_point() and (count := int((~mine.isfinite()).sum())):
            found[name] = count
    return found
