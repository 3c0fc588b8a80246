"""Underfit: the run ends about where it began, and that is high."""

from __future__ import annotations

from typing import final

from pydantic import Field

from tuneloop.monitoring import trend
from tuneloop.monitoring.checks import Check, _advice
from tuneloop.monitoring.history import History
from tuneloop.rows import Finding

_MOVED = (
    "the weights moved and the loss did not: the model knows what the rows teach, or cannot learn it; look at the rows"
)


@final
class Underfit(Check):
    """Neither training nor held-out loss came down from a height by an amount worth the run.

    Where the weights did move, as the sizes of the steps tell, it is a note: the model may know already what there is
    to learn, and larger steps would not help.
    """

    gain: float = Field(0.02, gt=0, lt=1)
    """Share of the first loss by which it should have fallen."""
    loss: float = Field(0.5, ge=0)
    """Training loss below which there is little left to learn, in nats per token."""
    steps: int = Field(20, ge=2)
    """Logged steps of the shortest run that is judged."""
    moved: float = Field(0.05, gt=0)
    """Way of all steps together, as a share of the weights, from which on they count as moved."""

    def look(self, history: History) -> Finding | None:
        """Compare the first and the last tenth of the training loss, and the held-out losses where there are any."""
        series = trend.curve(history, "train/loss")
        levels = trend.ends([value for _, value in series], least=3)
        if len(series) < self.steps or levels is None:
            return None
        first, last = levels
        if last.value < self.loss or not self._flat(last - first, first.value) or self._fell(history):
            return None
        way = trend.way(history)
        moved = way is not None and way > self.moved
        advice = "" if moved else _advice.rate(history, 5)
        return Finding(
            "underfit",
            "note" if moved else "warning",
            series[0][0],
            series[-1][0],
            f"training loss went from {first.value:.3f} to {last.value:.3f} nats in {series[-1][0]} steps",
            "raise the rate" if advice else _MOVED,
            advice,
            figures={"first": first.value, "last": last.value},
        )

    def _flat(self, change: trend.Estimate, first: float) -> bool:
        """Whether the training loss surely changed by little: by less than the gain, noise allowed for."""
        return abs(change.value) + 2 * change.error < 2 * self.gain * first and abs(change.value) < self.gain * first

    def _fell(self, history: History) -> bool:
        series = trend.curve(history, "validation/loss")
        return len(series) > 1 and min(value for _, value in series[1:]) < series[0][1] * (1 - self.gain)
