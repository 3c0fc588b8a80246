"""Overfit: the held-out loss rises while the training loss goes on falling."""

from __future__ import annotations

from typing import final

from pydantic import Field

from tuneloop.monitoring.checks import Check
from tuneloop.monitoring.history import History
from tuneloop.rows import Finding


@final
class Overfit(Check):
    """The model learns the training rows by heart: what it has not seen it predicts worse than before."""

    rise: float = Field(0.03, gt=0)
    """Share by which the held-out loss must lie above its lowest point."""
    evaluations: int = Field(2, ge=1)
    """Evaluations in a row that must lie above it."""

    def look(self, history: History) -> Finding | None:
        """Find the lowest held-out loss, and see what both losses did after it."""
        series = history.series("validation/loss")
        if len(series) <= self.evaluations:
            return None
        best_step, best = min(series, key=lambda entry: (entry[1], entry[0]))
        after = [value for step, value in series if step > best_step]
        if len(after) < self.evaluations or min(after[-self.evaluations :]) < best * (1 + self.rise):
            return None
        last_step, last = series[-1]
        width = max(1, (last_step - best_step) // 2)
        then = history.mean("train/loss", best_step - width, best_step)
        now = history.mean("train/loss", last_step - width, last_step)
        if then is None or now is None or now >= then:
            return None
        return Finding(
            "overfit",
            "warning",
            best_step,
            last_step,
            f"held-out loss rose from {best:.3f} (step {best_step}) to {last:.3f} (step {last_step}) "
            f"while training loss fell from {then:.3f} to {now:.3f}",
            f"the model of step {best_step} is kept; end there with --set train.max_steps={max(1, best_step)}, "
            "or add rows",
        )
