"""Constant: the full rate after warm-up."""

from __future__ import annotations

from typing import final

from tuneloop.training.schedules import Schedule


@final
class Constant(Schedule):
    """The full rate from the end of warm-up to the end of the run."""

    def factor(self, step: int, steps: int, losses: list[float]) -> float:  # noqa: ARG002
        """Always 1."""
        return 1.0
