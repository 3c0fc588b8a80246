"""Adam: running means of the gradient and of its square."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, final

from pydantic import Field

from tuneloop.training.optimizers import Optimizer

if TYPE_CHECKING:
    import torch


@final
class Adam(Optimizer):
    """Adam; weight decay, where given, is added to the gradient.

    Source:
        Kingma and Ba, Adam: A Method for Stochastic Optimization, 2014, algorithm 1.
    """

    betas: tuple[float, float] = (0.9, 0.999)
    """Decay of the running means of the gradient and of its square."""
    eps: float = Field(1e-8, gt=0)
    """Added to the root of the second mean."""

    def build(self, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
        """Make ``torch.optim.Adam`` (fused)."""
        import torch

        return torch.optim.Adam(groups, lr=self.learning_rate, betas=self.betas, eps=self.eps, fused=True)
