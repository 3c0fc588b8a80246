"""Converging: the good news, with its figures."""

from __future__ import annotations

from typing import final

from pydantic import Field

from tuneloop.monitoring import trend
from tuneloop.monitoring.checks import Check
from tuneloop.monitoring.history import History
from tuneloop.rows import Finding


@final
class Converging(Check):
    """The held-out loss fell from where it began, and ended near its lowest point."""

    gain: float = Field(0.02, gt=0, lt=1)
    """Share of the first held-out loss by which it must have fallen."""
    slack: float = Field(0.02, ge=0)
    """Share by which the last held-out loss may lie above the lowest."""

    def look(self, history: History) -> Finding | None:
        """Compare first, lowest and last held-out loss."""
        series = trend.curve(history, "validation/loss")
        if len(series) < 2:
            return None
        (first_step, first), (last_step, last) = series[0], series[-1]
        best = min(value for _, value in series)
        if first <= 0 or best > first * (1 - self.gain) or last > best * (1 + self.slack):
            return None
        return Finding(
            "converging",
            "good",
            first_step,
            last_step,
            f"held-out loss fell from {first:.3f} to {last:.3f} nats ({last / first - 1:+.0%})",
            "nothing to change",
        )
