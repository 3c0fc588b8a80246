"""Diverging: the training loss climbs away from its lowest point and stays up."""

from __future__ import annotations

from typing import ClassVar, final

from pydantic import Field

from tuneloop.monitoring import trend
from tuneloop.monitoring.checks import Check, _advice
from tuneloop.monitoring.history import History
from tuneloop.rows import Finding


@final
class Diverging(Check):
    """The last stretch of the training loss lies well above the best stretch, by more than chance explains."""

    explains: ClassVar[tuple[str, ...]] = ("exploding", "spikes", "plateau", "underfit", "noisy")
    rise: float = Field(0.25, gt=0)
    """Share by which the last stretch must lie above the lowest."""
    errors: float = Field(5.0, gt=0)
    """Standard errors by which it must."""
    lost: float = Field(0.15, gt=0)
    """Share of all that was gained until the lowest stretch that must be lost again."""
    steps: int = Field(10, ge=5)
    """Steps of a stretch, at least; a stretch is a tenth of the run."""

    def look(self, history: History) -> Finding | None:
        """Compare the last stretch with the lowest one before it."""
        series = trend.curve(history, "train/loss")
        width = max(self.steps, len(series) // 10)
        if len(series) < 2 * width:
            return None
        values = [value for _, value in series]
        starts = range(0, len(values) - 2 * width + 1, width)
        levels = {start: trend.level(values[start : start + width]) for start in starts}
        place = min(levels, key=lambda start: levels[start].value)
        low, now = levels[place], trend.level(values[-width:])
        change = now - low
        gained = max(values[0], levels[0].value) - low.value
        if change.value < self.rise * low.value or change.z < self.errors or change.value < self.lost * gained:
            return None
        advice = _advice.rate(history, 0.2)
        return Finding(
            "diverging",
            "error",
            series[place][0],
            series[-1][0],
            f"training loss rose from {low.value:.3f} (about step {series[place][0]}) to {now.value:.3f}",
            "lower the rate",
            advice,
            figures={"lowest": low.value, "last": now.value, "z": change.z},
        )
