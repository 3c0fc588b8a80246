"""Noisy: steps of so few rows that they undo each other, at a rate that never falls."""

from __future__ import annotations

import math
import statistics
from typing import ClassVar, final

from pydantic import Field

from tuneloop.monitoring import trend
from tuneloop.monitoring.checks import Check, _advice
from tuneloop.monitoring.history import History
from tuneloop.rows import Finding


@final
class Noisy(Check):
    """Tiny batches at a rate that never falls: both losses hover at the same height, above what could be reached.

    Small batches alone are no fault, a falling rate averages their noise out. The fault shows in held-out rows of which
    hardly anything is gained any more. It is a warning where the sizes of the steps say why: most of the gradient is
    noise, and a walk of such steps at random would carry the weights far within half the run. Where sizes are not
    known, rows that were gone through and are no better known than rows that were never seen are worth a note.

    Source:
        McCandlish et al., An Empirical Model of Large-Batch Training, 2018, section 2.2.
    """

    explains: ClassVar[tuple[str, ...]] = ("spikes", "plateau", "underfit")
    size: int = Field(4, ge=1)
    """Rows of the largest step that is suspected."""
    share: float = Field(0.8, gt=0, lt=1)
    """Share of the gradient's square that must be noise, where it is known."""
    walk: float = Field(25.0, gt=0)
    """Way of a random walk over half the run, in good strides, from which on noise moves the weights too far."""
    errors: float = Field(2.0, gt=0)
    """Standard errors by which every evaluation must lie above that before training, where the walk is shorter."""
    rate: float = Field(0.5, gt=0, le=1)
    """Share of the highest rate that the last one must have."""
    gap: float = Field(0.05, gt=0)
    """Share by which the held-out loss may lie above the training loss."""
    settled: float = Field(0.4, gt=0, lt=1)
    """Share of the whole fall that the second half of the run may bring."""
    steps: int = Field(50, ge=10)
    """Logged steps of the shortest run that is judged."""

    def look(self, history: History) -> Finding | None:
        """Compare both losses at the end of a run of small steps."""
        size, rates = history.option("train.batch.size"), trend.curve(history, "train/learning_rate")
        series, held_out = trend.curve(history, "train/loss"), trend.curve(history, "validation/loss")
        if not isinstance(size, int) or size > self.size or len(series) < self.steps or len(held_out) < 3 or not rates:
            return None
        if (history.latest("train/epoch") or 0.0) < 1.5 or rates[-1][1] < self.rate * max(rate for _, rate in rates):
            return None
        noise, walk = self._late(history, "train/noise_share"), self._late(history, "train/update_ratio")
        walk = walk * math.sqrt(series[-1][0] / 2) / _advice.stride(history) if walk is not None else None
        late = trend.level([value for _, value in series[-len(series) // 4 :]])
        (first_step, first), (last_step, end) = held_out[0], held_out[-1]
        half = min(value for step, value in held_out if step <= max(last_step / 2, held_out[1][0]))
        apart = end - late.value > self.gap * end + 2 * late.error
        far = walk is not None and (walk > self.walk or trend.never_gained(history, self.errors))
        certain = noise is not None and noise >= self.share and far
        if not certain and (apart or (noise or 1.0) < self.share):
            return None
        if (first <= end and not certain) or (first > end and half - end > self.settled * (first - end)):
            return None
        change = f"train.batch.size={max(16, 4 * size)}"
        known = f", {noise:.0%} of the gradient is noise" if noise is not None else ""
        return Finding(
            "noisy",
            "warning" if certain else "note",
            first_step,
            last_step,
            f"steps of {size} row{'s' * (size > 1)} at a rate that never fell{known}: after "
            f"{history.latest('train/epoch'):.1f} epochs seen rows lose {late.value:.3f} nats and held-out rows "
            f"{end:.3f}, and the second half of the run brought {max(0.0, half - end):.3f}",
            "take more rows into a step, or let the rate fall",
            change,
            figures={
                "size": float(size),
                "train": late.value,
                "held_out": end,
                "noise_share": noise or 0.0,
                "walk": walk or 0.0,
            },
        )

    def _late(self, history: History, name: str) -> float | None:
        """Median of a figure over the second half of the times it was measured."""
        values = [value for _, value in trend.curve(history, name)]
        return statistics.median(values[len(values) // 2 :]) if values else None
