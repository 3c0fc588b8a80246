"""Linear: the rate falls along a straight line."""

from __future__ import annotations

from typing import final

from pydantic import Field

from tuneloop.training.schedules import Schedule


@final
class Linear(Schedule):
    """A straight line from the full rate down to a floor."""

    min_lr_rate: float = Field(0.0, ge=0, le=1)
    """The floor, as a share of the full rate."""

    def factor(self, step: int, steps: int, losses: list[float]) -> float:  # noqa: ARG002
        """``1 - (1 - floor) * step / steps``."""
        return 1 - (1 - self.min_lr_rate) * min(1.0, step / steps)
