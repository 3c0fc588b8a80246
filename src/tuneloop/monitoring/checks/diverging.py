"""Diverging: the training loss climbs away from its lowest point and stays up."""

from __future__ import annotations

import math
import statistics
from typing import final

from pydantic import Field

from tuneloop.monitoring.checks import Check
from tuneloop.monitoring.history import History
from tuneloop.rows import Finding


@final
class Diverging(Check):
    """The last stretch of the training loss lies well above the best stretch, by more than chance explains."""

    rise: float = Field(0.25, gt=0)
    """Share by which the last stretch must lie above the lowest."""
    errors: float = Field(4.0, gt=0)
    """Standard errors by which it must."""
    steps: int = Field(10, ge=5)
    """Steps of a stretch, at least; a stretch is a tenth of the run."""

    def look(self, history: History) -> Finding | None:
        """Compare the last stretch with the lowest one before it."""
        series = history.series("train/loss")
        width = max(self.steps, len(series) // 10)
        if len(series) < 2 * width:
            return None
        values = [value for _, value in series]
        stretches = [values[start : start + width] for start in range(0, len(values) - 2 * width + 1, width)]
        lowest = min(range(len(stretches)), key=lambda index: statistics.fmean(stretches[index]))
        best, last = stretches[lowest], values[-width:]
        low, now = statistics.fmean(best), statistics.fmean(last)
        error = math.sqrt((statistics.variance(best) + statistics.variance(last)) / width)
        if now < low * (1 + self.rise) or now - low < self.errors * error:
            return None
        rate = max(history.values("train/learning_rate"), default=0.0)
        return Finding(
            "diverging",
            "error",
            series[lowest * width][0],
            series[-1][0],
            f"training loss rose from {low:.3f} (about step {series[lowest * width][0]}) to {now:.3f}",
            f"lower the rate: --set train.optimizer.{history.optimizer}.learning_rate={rate / 5:.2g}",
        )
