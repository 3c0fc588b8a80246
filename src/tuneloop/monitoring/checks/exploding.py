"""Exploding: gradients far above what clipping is meant for, step after step."""

from __future__ import annotations

import statistics
from typing import final

from pydantic import Field

from tuneloop.monitoring.checks import Check
from tuneloop.monitoring.history import History
from tuneloop.rows import Finding


@final
class Exploding(Check):
    """The gradient's norm before clipping stays above a limit; a single spike, or a high start, is no explosion."""

    above: float = Field(10.0, gt=0)
    """Norm above which a gradient is too large."""
    steps: int = Field(10, ge=1)
    """Steps in a row that must lie above it, up to the last."""

    def look(self, history: History) -> Finding | None:
        """See whether each of the last steps lies above the limit."""
        norms = history.series("train/grad_norm")[-self.steps :]
        if len(norms) < self.steps or min(value for _, value in norms) <= self.above:
            return None
        rate = max(history.values("train/learning_rate"), default=0.0)
        return Finding(
            "exploding",
            "warning",
            norms[0][0],
            norms[-1][0],
            f"gradient norm was above {self.above:g} in each of the last {self.steps} logged steps "
            f"(median {statistics.median(value for _, value in norms):.1f})",
            f"lower the rate: --set train.optimizer.{history.optimizer}.learning_rate={rate / 3:.2g}, "
            "and keep train.max_grad_norm at 1",
        )
