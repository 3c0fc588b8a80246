"""Lion: every weight goes the same distance, in the direction of a running mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, final

from pydantic import Field

from tuneloop.training.optimizers import Optimizer

if TYPE_CHECKING:
    import torch


@final
class Lion(Optimizer):
    """The sign of a mix of the gradient and its running mean, with decoupled weight decay.

    It keeps one number for each weight where AdamW keeps two. Every weight moves by the rate, so that the rate is to
    be three to ten times lower than AdamW's, and ``weight_decay`` as much higher.

    Source:
        Chen et al., Symbolic Discovery of Optimization Algorithms, 2023, algorithm 2 and section 5.
    """

    learning_rate: float = Field(4e-5, gt=0)
    """The highest learning rate; the schedule scales it."""
    betas: tuple[float, float] = (0.9, 0.99)
    """Shares of the running mean in the direction of a step, and in its own renewal."""

    def build(self, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
        """Make the optimizer of the paper."""
        from tuneloop.training.optimizers._steps import LionSteps

        return LionSteps(groups, self.learning_rate, self.betas)
