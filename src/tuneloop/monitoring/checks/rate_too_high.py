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
    sure: float = Field(2.0, gt=0)
    """Standard errors by which each evaluation must lie above the one before training."""
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
        climbed = (
            self._climbed(series, width, start)
            or self._thrown(history, held_out, start)
            or self._worse(history, series, held_out)
        )
        strides = trend.curve(history, "train/update_ratio")
        wide = [value for _, value in strides if value > self.stride * _advice.stride(history)]
        wild = len(wide) > 1 and history.option("model.init") != "random"
        if climbed is None and not wild:
            return None
        steps = f"a single step changed the weights by {max(wide):.0%} of their norm" if wild else ""
        at, peak, told = climbed or (strides[-1][0], start, steps)
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
        at = series[place + 1][0]
        return at, peak, _told("training", start, peak, at)

    def _thrown(
        self, history: History, held_out: list[tuple[int, float]], start: float
    ) -> tuple[int, float, str] | None:
        """Step and height of the first held-out loss above the start, where no training loss had fallen until then."""
        for (last, _), (step, loss) in pairwise(held_out):
            trained = history.mean("train/loss", last + 1, step)
            if trained is None or trained < start * (1 - self.rise):
                return None
            if loss > max(start, held_out[0][1]) * (1 + self.rise):
                return step, loss, _told("held-out", start, loss, step)
        return None

    def _worse(
        self, history: History, series: list[tuple[int, float]], held_out: list[tuple[int, float]]
    ) -> tuple[int, float, str] | None:
        """Step and height of the last held-out loss, where all lie above the first and training ended above its start.

        A model that learns its rows by heart gets worse on others, too, but its training loss falls.
        """
        if not trend.never_gained(history, self.sure) or noise_of_few(history):
            return None
        levels = trend.ends([value for _, value in series], share=0.2, least=10)
        if levels is None or levels[1].value < levels[0].value:
            return None
        (_, before), (step, now) = held_out[0], held_out[-1]
        told = f"held-out loss was above its {before:.3f} before training at every evaluation, {now:.3f} at the last"
        return step, now, f"{told}, and training loss went from {levels[0].value:.3f} to {levels[1].value:.3f}"


def _told(what: str, start: float, peak: float, at: int) -> str:
    return f"{what} loss climbed from {start:.3f} to {peak:.3f} about step {at}, before anything was learned"


def noise_of_few(history: History, rows: int = 4, share: float = 0.8) -> bool:
    """Whether steps of a few rows are nearly all noise: then that is the cause, not the rate."""
    size, noise = history.option("train.batch.size"), [value for _, value in trend.curve(history, "train/noise_share")]
    return isinstance(size, int) and size <= rows and bool(noise) and statistics.median(noise) >= share
