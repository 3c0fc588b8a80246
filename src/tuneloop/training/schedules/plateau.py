"""Plateau: the rate drops when the held-out loss no longer falls."""

from __future__ import annotations

import math
from typing import final

from pydantic import Field

from tuneloop.training.schedules import Schedule


@final
class Plateau(Schedule):
    """The rate is multiplied by ``gamma`` after more than ``patience`` evaluations in a row without improvement.

    The factor is worked out anew from all held-out losses each time, so there is no state to lose.

    Source:
        ``torch.optim.lr_scheduler.ReduceLROnPlateau`` with a relative threshold and no cool-down;
        ``gamma`` is called ``factor`` there.
    """

    patience: int = Field(1, ge=0)
    """Evaluations in a row without improvement that are put up with."""
    gamma: float = Field(0.5, gt=0, lt=1)
    """What the rate is multiplied by at each drop."""
    threshold: float = Field(1e-4, ge=0)
    """What counts as an improvement, as a share of the best loss so far."""
    min_lr_rate: float = Field(0.0, ge=0, le=1)
    """The floor, as a share of the full rate."""

    def factor(self, step: int, steps: int, losses: list[float]) -> float:  # noqa: ARG002
        """Replay the held-out losses and count the drops."""
        rate, best, bad = 1.0, math.inf, 0
        for loss in losses:
            if loss < best * (1 - self.threshold):
                best, bad = loss, 0
            else:
                bad += 1
            if bad > self.patience:
                rate, bad = max(rate * self.gamma, self.min_lr_rate), 0
        return rate
