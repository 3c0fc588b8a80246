"""AdamW: Adam with decoupled weight decay."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, final

from pydantic import Field

from tuneloop.training.optimizers import Optimizer

if TYPE_CHECKING:
    import torch


@final
class AdamW(Optimizer):
    """Adam with decoupled weight decay.

    Source:
        Loshchilov and Hutter, Decoupled Weight Decay Regularization, 2017, algorithm 2.
    """

    betas: tuple[float, float] = (0.9, 0.999)
    """Decay of the running means of the gradient and of its square."""
    eps: float = Field(1e-8, gt=0)
    """Added to the root of the second mean."""

    def build(self, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
        """Make ``torch.optim.AdamW`` (fused)."""
        import torch

        return torch.optim.AdamW(groups, lr=self.learning_rate, betas=self.betas, eps=self.eps, fused=True)
