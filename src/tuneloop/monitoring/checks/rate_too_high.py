"""Rate too high: the first large steps threw the model further from the rows than it was before training."""

from __future__ import annotations

import math
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
    """The training loss climbs above where it began before it has learned anything, or steps are absurdly long.

    Small enough steps would not climb. Where the sizes of the steps are known, they tell even where the first loss was
    so high that there was nothing to climb to.
    """

    explains: ClassVar[tuple[str, ...]] = (
        "capacity", "diverging", "exploding", "memorised", "never_stops", "noisy", "overfit", "plateau", "spikes",
        "underfit", "vanishing",
    )  # fmt: skip
    stride: float = Field(20.0, gt=1)
    """Times a good step's share of the weights that a step must take, where that is known."""
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
        values = [value for _, value in series]
        held_out = trend.curve(history, "validation/loss")
        before = held_out[0][1] if held_out and held_out[0][0] == 0 else 0.0
        start, end = max(values[0], before), statistics.fmean(values[-width:])
        climbed = self._climbed(series, width, start) or self._thrown(history, held_out, start)
        strides = trend.curve(history, "train/update_ratio")
        wide = [value for _, value in strides if value > self.stride * _advice.stride(history)]
        wild = len(wide) > 1 and history.option("model.init") != "random"
        if climbed is None and not wild:
            return None
        at, peak, what = climbed or (strides[-1][0], start, "")
        told = f"a single step changed the weights by {max(wide):.0%} of their norm" if wild else ""
        if climbed:
            told = f"{what} loss climbed from {start:.3f} to {peak:.3f} about step {at}, before anything was learned"
        factor = _advice.stride(history) / max(wide) if wide else 0.1 if peak < 1.5 * start else 0.03
        change = _advice.rate(history, min(0.3, max(0.01, factor)))
        return Finding(
            "rate_too_high",
            "error" if end > start else "warning",
            series[0][0],
            at,
            f"{told}; training loss ended at {end:.3f}",
            "lower the rate",
            change,
            figures={"start": start, "peak": peak, "end": end, "stride": max(wide, default=0.0)},
        )

    def _climbed(self, series: list[tuple[int, float]], width: int, start: float) -> tuple[int, float, str] | None:
        """Step and height of the highest stretch of the training loss, where it lies above the start."""
        values = [value for _, value in series]
        levels = [statistics.median(values[place : place + width]) for place in range(1, len(values) - width + 1)]
        peak = max(levels)
        place = levels.index(peak)
        fell = start - min([start, *levels[: max(0, place - 1)]])
        chance = self.errors * trend.scatter(values[len(values) // 2 :]) * math.sqrt(1 + 1 / width)
        if peak - start < max(self.rise * start, chance, 4 * fell):
            return None
        return series[place + 1][0], peak, "training"

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
