"""RMSprop: the gradient over the root of its mean square."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, final

from pydantic import Field

from tuneloop.training.optimizers import Optimizer

if TYPE_CHECKING:
    import torch


@final
class RMSprop(Optimizer):
    """The gradient divided by the root of the running mean of its square.

    Source:
        Tieleman and Hinton, Neural Networks for Machine Learning, 2012, lecture 6.5.
    """

    alpha: float = Field(0.99, gt=0, lt=1)
    """Decay of the running mean of the squared gradient."""
    eps: float = Field(1e-8, gt=0)
    """Added to the root of the mean."""
    momentum: float = Field(0.0, ge=0, lt=1)
    """How much of the last step's direction is kept."""

    def build(self, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
        """Make ``torch.optim.RMSprop``."""
        import torch

        return torch.optim.RMSprop(
            groups, lr=self.learning_rate, alpha=self.alpha, eps=self.eps, momentum=self.momentum
        )
