"""Plateau: the held-out loss stopped falling long before the end, at an undiminished rate."""

from __future__ import annotations

from typing import final

from pydantic import Field

from tuneloop.monitoring import trend
from tuneloop.monitoring.checks import Check, _advice
from tuneloop.monitoring.history import History
from tuneloop.rows import Finding


@final
class Plateau(Check):
    """The second half of the evaluations brought nothing, although each step was as large as before.

    A note: the best weights are kept, and the steps after them were wasted. A rate that falls often brings more.
    """

    evaluations: int = Field(6, ge=4)
    """Evaluations of the shortest run that is judged."""
    gain: float = Field(0.01, gt=0)
    """Share of the whole fall that the second half must bring."""
    rate: float = Field(0.5, gt=0, le=1)
    """Share of the highest rate above which the last one counts as undiminished."""

    def look(self, history: History) -> Finding | None:
        """Compare the lowest held-out losses of the first and of the second half."""
        series = trend.curve(history, "validation/loss")
        rates = [value for _, value in trend.curve(history, "train/learning_rate")]
        if len(series) < self.evaluations or (rates and rates[-1] < self.rate * max(rates)):
            return None
        half = len(series) // 2
        early, late = min(series[:half], key=lambda entry: entry[1]), min(series[half:], key=lambda entry: entry[1])
        whole = series[0][1] - min(early[1], late[1])
        gained = early[1] - late[1]
        noise = trend.scatter([value for _, value in series[half:]])
        if whole <= 0 or gained > max(self.gain * whole, noise):
            return None
        steady = history.part("train.schedule", "") == "constant"
        change = "train.schedule=cosine" if steady else _advice.length(history, max(early[0], 1) / series[-1][0])
        return Finding(
            "plateau",
            "note",
            early[0],
            series[-1][0],
            f"held-out loss was {early[1]:.3f} at step {early[0]} and no lower than {late[1]:.3f} after it",
            "let the rate fall, or end sooner",
            change,
            figures={"early": early[1], "late": late[1]},
        )
