"""WSD: warm-up, a long stable part, and a short decay at the end."""

from __future__ import annotations

import math
from typing import Literal, final

from pydantic import Field

from tuneloop.training.schedules import Schedule


@final
class WSD(Schedule):
    """The full rate after warm-up until a short decay at the end brings it down to a floor.

    Until the decay begins nothing depends on how long the run is, so runs of other lengths share that part.

    Source:
        Hu et al., MiniCPM, 2024, section 4.2; the forms of decay are those of transformers' ``get_wsd_schedule``.
    """

    num_decay_steps: float = Field(0.1, gt=0)
    """Steps of the decay; below 1 it is a share of the steps after warm-up."""
    decay_type: Literal["linear", "cosine", "1-sqrt"] = "cosine"
    """Its form: a line, half a cosine wave, or ``1 - sqrt(share)``, which falls fast at first."""
    min_lr_rate: float = Field(0.0, ge=0, le=1)
    """The floor, as a share of the full rate."""

    def factor(self, step: int, steps: int, losses: list[float]) -> float:  # noqa: ARG002
        """1 before the decay; then from 1 to the floor in the form of ``decay_type``."""
        wanted = self.num_decay_steps * steps if self.num_decay_steps < 1 else self.num_decay_steps
        decay = min(steps, max(1, int(wanted)))
        share = min(1.0, max(0.0, (step - (steps - decay)) / decay))
        form = {
            "linear": 1 - share,
            "cosine": 0.5 * (1 + math.cos(math.pi * share)),
            "1-sqrt": 1 - math.sqrt(share),
        }[self.decay_type]
        return self.min_lr_rate + (1 - self.min_lr_rate) * form
