"""Underfit: the run ends about where it began, and that is high."""

from __future__ import annotations

from typing import final

from pydantic import Field

from tuneloop.monitoring.checks import Check
from tuneloop.monitoring.history import History
from tuneloop.rows import Finding


@final
class Underfit(Check):
    """Neither training nor held-out loss came down from a height by an amount worth the run."""

    gain: float = Field(0.02, gt=0, lt=1)
    """Share of the first loss by which it should have fallen."""
    loss: float = Field(0.5, ge=0)
    """Training loss below which there is little left to learn, in nats per token."""
    steps: int = Field(20, ge=2)
    """Steps of the shortest run that is judged."""

    def look(self, history: History) -> Finding | None:
        """Compare the first and the last tenth of the training loss, and the held-out losses where there are any."""
        series = history.series("train/loss")
        if len(series) < self.steps:
            return None
        width = max(3, len(series) // 10)
        first = sum(value for _, value in series[:width]) / width
        last = sum(value for _, value in series[-width:]) / width
        held_out = history.values("validation/loss")
        fell = len(held_out) > 1 and min(held_out[1:]) < held_out[0] * (1 - self.gain)
        rose = last > first * (1 + self.gain)
        if last < self.loss or fell or rose or last < first * (1 - self.gain):
            return None
        rate = max(history.values("train/learning_rate"), default=0.0)
        return Finding(
            "underfit",
            "warning",
            series[0][0],
            series[-1][0],
            f"training loss went from {first:.3f} to {last:.3f} nats in {series[-1][0]} steps",
            f"raise the rate: --set train.optimizer.{history.optimizer}.learning_rate={5 * rate:.2g}",
        )
