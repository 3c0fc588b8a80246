"""Step: the rate drops by a factor at even distances."""

from __future__ import annotations

from typing import final

from pydantic import Field

from tuneloop.training.schedules import Schedule


@final
class Step(Schedule):
    """The rate is multiplied by ``gamma`` every ``step_size`` steps."""

    step_size: float = Field(0.3, gt=0)
    """Optimizer steps between drops; below 1 it is a share of the steps after warm-up."""
    gamma: float = Field(0.1, gt=0, le=1)
    """What the rate is multiplied by at each drop."""

    def factor(self, step: int, steps: int, losses: list[float]) -> float:  # noqa: ARG002
        """``gamma`` to the power of the drops so far."""
        size = self.step_size * steps if self.step_size < 1 else self.step_size
        return float(self.gamma ** (step // max(1, int(size))))
