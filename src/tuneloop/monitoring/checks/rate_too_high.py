"""Rate too high: the first large steps threw the model further from the rows than it was before training."""

from __future__ import annotations

import statistics
from itertools import pairwise
from typing import ClassVar, final

from pydantic import Field

from tuneloop.monitoring import trend
from tuneloop.monitoring.checks import Check, _advice
from tuneloop.monitoring.history import History
from tuneloop.rows import Finding


@final
class RateTooHigh(Check):
    """The training loss climbs above where it began before it has learned anything: smaller steps would not do that."""

    explains: ClassVar[tuple[str, ...]] = (
        "diverging", "exploding", "spikes", "plateau", "underfit", "noisy", "vanishing", "capacity", "never_stops",
    )  # fmt: skip
    rise: float = Field(0.1, gt=0)
    """Share by which the highest stretch must lie above the start."""
    errors: float = Field(5.0, gt=0)
    """Standard errors of a stretch by which it must, too."""
    steps: int = Field(3, ge=2)
    """Steps of a stretch, at least; a stretch is a twentieth of the run."""

    def look(self, history: History) -> Finding | None:
        """Find the highest stretch of the training loss after the start, and held-out losses above the first one."""
        series = trend.curve(history, "train/loss")
        width = max(self.steps, len(series) // 20)
        if len(series) < 3 * width:
            return None
        steps, values = [step for step, _ in series], [value for _, value in series]
        held_out = trend.curve(history, "validation/loss")
        before = held_out[0][1] if held_out and held_out[0][0] == 0 else 0.0
        start, end = max(values[0], before), statistics.fmean(values[-width:])
        climbed = self._climbed(values, width, start) or self._thrown(history, held_out, start)
        if climbed is None:
            return None
        at, peak, what = climbed
        at = steps[at] if what == "training" else at
        change = _advice.rate(history, 0.1 if peak < 1.5 * start else 0.03)
        return Finding(
            "rate_too_high",
            "error" if end > start else "warning",
            steps[0],
            at,
            f"{what} loss climbed from {start:.3f} to {peak:.3f} about step {at}, above where it began, before "
            f"anything was learned; training loss ended at {end:.3f}",
            f"lower the rate{_advice.setting(change)}",
            change,
            figures={"start": start, "peak": peak, "end": end},
        )

    def _climbed(self, values: list[float], width: int, start: float) -> tuple[int, float, str] | None:
        """Place and height of the highest stretch of the training loss, where it lies above the start."""
        levels = [statistics.median(values[place : place + width]) for place in range(1, len(values) - width + 1)]
        peak = max(levels)
        place = levels.index(peak)
        fell = start - min([start, *levels[: max(0, place - 1)]])
        noise = trend.scatter(values[len(values) // 2 :]) * (1 + 1 / width) ** 0.5
        risen = peak - start
        if risen < self.rise * start or risen < self.errors * noise or risen < 4 * fell:
            return None
        return place + 1, peak, "training"

    def _thrown(
        self, history: History, held_out: list[tuple[int, float]], start: float
    ) -> tuple[int, float, str] | None:
        """Step and height of the first held-out loss above the start, where no training loss had fallen until then."""
        for (last, _), (step, loss) in pairwise(held_out):
            trained = history.mean("train/loss", last + 1, step)
            if trained is None or trained < start * (1 - self.rise):
                return None
            if loss > max(start, held_out[0][1]) * (1 + self.rise):
                return step, loss, "held-out"
        return None
