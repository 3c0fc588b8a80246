"""Cosine: the rate falls along half a cosine wave."""

from __future__ import annotations

import math
from typing import final

from pydantic import Field

from tuneloop.training.schedules import Schedule


@final
class Cosine(Schedule):
    """Half a cosine wave from the full rate down to a floor.

    Source:
        Loshchilov and Hutter, SGDR, 2016, equation 5, without restarts.
    """

    min_lr_rate: float = Field(0.0, ge=0, le=1)
    """The floor, as a share of the full rate."""

    def factor(self, step: int, steps: int, losses: list[float]) -> float:  # noqa: ARG002
        """See the formula above; ``step / steps`` goes from 0 to 1."""
        share = min(1.0, step / steps)
        return self.min_lr_rate + (1 - self.min_lr_rate) * 0.5 * (1 + math.cos(math.pi * share))
