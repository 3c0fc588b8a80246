"""Cosine with restarts: the rate falls along half a cosine wave, is warmed up again, and falls again."""

from __future__ import annotations

import math
from typing import final

from pydantic import Field

from tuneloop.training.schedules import Schedule


@final
class CosineWithRestarts(Schedule):
    """Several equal cycles, each from the full rate down to a floor.

    After the first cycle the rate goes back to the full one at once, or in a line over ``rewarm_steps``.

    Source:
        Loshchilov and Hutter, SGDR, 2016, equation 5, with cycles of one length, as in transformers'
        ``get_cosine_with_hard_restarts_schedule_with_warmup``; re-warming: Ibrahim et al., Simple and Scalable
        Strategies to Continually Pre-train Large Language Models, 2024.
    """

    num_cycles: int = Field(2, ge=1)
    """How often the rate falls."""
    min_lr_rate: float = Field(0.0, ge=0, le=1)
    """The floor, as a share of the full rate."""
    rewarm_steps: float = Field(0.0, ge=0)
    """Steps from the floor up to the full rate at the beginning of every cycle but the first; below 1 it is a share
    of a cycle."""

    def factor(self, step: int, steps: int, losses: list[float]) -> float:  # noqa: ARG002
        """See the formula above, with the share of the present cycle that is over."""
        if step >= steps:
            return self.min_lr_rate
        length = steps / self.num_cycles
        cycle = int(step / length)
        rewarm = min(self.rewarm_steps * length if self.rewarm_steps < 1 else self.rewarm_steps, length) if cycle else 0
        within = step - cycle * length
        if within < rewarm:
            share = (within + 1) / (rewarm + 1)
        else:
            share = 0.5 * (1 + math.cos(math.pi * (within - rewarm) / (length - rewarm)))
        return self.min_lr_rate + (1 - self.min_lr_rate) * share
