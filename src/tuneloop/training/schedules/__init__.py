"""Schedules: how the learning rate goes over a run. A new one is one file with one method."""

from __future__ import annotations

from abc import ABC, abstractmethod

from pydantic import Field

from tuneloop.parts import Part


class Schedule(Part, ABC):
    """Gives the share of the full learning rate at each step."""

    warmup_steps: float = Field(0.1, ge=0)
    """Steps of linear warm-up; below 1 it is a share of all steps."""

    def warmup(self, steps: int) -> int:
        """Warm-up in whole optimizer steps, for a run of so many steps."""
        return int(self.warmup_steps * steps) if self.warmup_steps < 1 else int(self.warmup_steps)

    def at(self, step: int, steps: int, losses: list[float]) -> float:
        """The factor at one step, warm-up included.

        Args:
            step: Optimizer step, counted from 0.
            steps: All optimizer steps of the run.
            losses: The held-out losses measured so far, oldest first.

        Returns:
            What the learning rate is multiplied by, 0 to 1.

        Source:
            Linear warm-up over ``w`` steps gives ``(step + 1) / (w + 1)``, so that no step is made at rate 0.
        """
        warmup = self.warmup(steps)
        if step < warmup:
            return (step + 1) / (warmup + 1)
        return self.factor(step - warmup, max(1, steps - warmup), losses)

    @abstractmethod
    def factor(self, step: int, steps: int, losses: list[float]) -> float:
        """The factor after warm-up.

        Args:
            step: Optimizer step after warm-up, counted from 0.
            steps: Optimizer steps after warm-up in all.
            losses: The held-out losses measured so far, oldest first.
        """
