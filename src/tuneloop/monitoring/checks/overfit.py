"""Overfit: the held-out loss rises while the training loss goes on falling."""

from __future__ import annotations

from typing import ClassVar, final

from pydantic import Field

from tuneloop.monitoring import trend
from tuneloop.monitoring.checks import Check, _advice
from tuneloop.monitoring.history import History
from tuneloop.rows import Finding


@final
class Overfit(Check):
    """The model learns the training rows by heart: what it has not seen it predicts worse than before.

    Where early stopping ended the run within its patience this is a note: the best weights are kept, and nothing
    was lost but a few steps.
    """

    explains: ClassVar[tuple[str, ...]] = ("plateau",)
    rise: float = Field(0.03, gt=0)
    """Share by which the held-out loss must lie above its lowest point."""
    evaluations: int = Field(2, ge=1)
    """Evaluations in a row that must lie above it."""
    errors: float = Field(3.0, gt=0)
    """Standard errors by which it must, as single rows tell them."""

    def look(self, history: History) -> Finding | None:
        """Find the lowest held-out loss, and see what both losses did after it."""
        series = trend.curve(history, "validation/loss")
        if len(series) <= self.evaluations:
            return None
        best_step, best = min(series, key=lambda entry: (entry[1], entry[0]))
        last_step, last = series[-1]
        after = [value for step, value in series if step > best_step]
        if len(after) < self.evaluations or min(after[-self.evaluations :]) < best * (1 + self.rise):
            return None
        change = trend.held_out_change(history, best_step, last_step)
        if change is None or change.z < self.errors:
            return None
        width = max(1, (last_step - best_step) // 2)
        then = history.mean("train/loss", max(1, best_step - width), max(best_step, 3))
        now = history.mean("train/loss", last_step - width, last_step)
        if then is None or now is None or not now < then:
            return None
        patience = history.option("train.stop.patience")
        ended = isinstance(patience, int) and len(after) <= patience
        advice = _advice.length(history, best_step / last_step) if best_step else _advice.rate(history, 0.2)
        return Finding(
            "overfit",
            "note" if ended else "warning",
            best_step,
            last_step,
            f"held-out loss rose from {best:.3f} (step {best_step}) to {last:.3f} (step {last_step}) "
            f"while training loss fell from {then:.3f} to {now:.3f}",
            f"the model of step {best_step} is kept; {'end there' if best_step else 'learn slower'}, or add rows",
            advice,
            figures={"best": best, "last": last, "z": change.z, "train": now},
        )
