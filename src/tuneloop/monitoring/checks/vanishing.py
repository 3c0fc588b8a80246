"""Vanishing: the gradient goes to nothing while there is still much to learn."""

from __future__ import annotations

import statistics
from typing import final

from pydantic import Field

from tuneloop.monitoring.checks import Check
from tuneloop.monitoring.history import History
from tuneloop.rows import Finding


@final
class Vanishing(Check):
    """A gradient near zero at a loss that is not: nothing reaches the weights that should learn."""

    below: float = Field(1e-5, gt=0)
    """Norm under which a gradient counts as nothing."""
    loss: float = Field(0.1, ge=0)
    """Training loss above which there is still something to learn, in nats per token."""
    steps: int = Field(10, ge=1)
    """Steps in a row that are looked at."""

    def look(self, history: History) -> Finding | None:
        """Take the median norm and loss of the last steps."""
        norms = history.series("train/grad_norm")[-self.steps :]
        losses = history.values("train/loss")[-self.steps :]
        if len(norms) < self.steps or len(losses) < self.steps:
            return None
        norm = statistics.median(value for _, value in norms)
        loss = statistics.median(losses)
        if norm >= self.below or loss <= self.loss:
            return None
        return Finding(
            "vanishing",
            "error",
            norms[0][0],
            norms[-1][0],
            f"gradient norm is {norm:.1e} at a training loss of {loss:.3f}",
            "the weights that learn are cut off from the loss: check train.adapter, and train with "
            "--set train.precision=fp32",
        )
