"""Polynomial: the rate falls with a power of what is left of the run."""

from __future__ import annotations

from typing import final

from pydantic import Field

from tuneloop.training.schedules import Schedule


@final
class Polynomial(Schedule):
    """From the full rate down to a floor with a power of the share of steps that are left.

    A power of 1 is a straight line; above 1 the rate falls fast at first, below 1 at the end.
    """

    power: float = Field(2.0, gt=0)
    """The power."""
    min_lr_rate: float = Field(0.0, ge=0, le=1)
    """The floor, as a share of the full rate."""

    def factor(self, step: int, steps: int, losses: list[float]) -> float:  # noqa: ARG002
        """``floor + (1 - floor) * (1 - step / steps) ** power``."""
        left = 1 - min(1.0, step / steps)
        return float(self.min_lr_rate + (1 - self.min_lr_rate) * left**self.power)
