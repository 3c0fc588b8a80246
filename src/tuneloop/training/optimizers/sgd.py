"""SGD: the plain gradient, with momentum."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, final

from pydantic import Field, model_validator

from tuneloop.training.optimizers import Optimizer

if TYPE_CHECKING:
    import torch


@final
class SGD(Optimizer):
    """Stochastic gradient descent with momentum; it wants a far higher learning rate than AdamW.

    Source:
        Sutskever et al., On the importance of initialization and momentum in deep learning, 2013, section 2,
        in the form of ``torch.optim.SGD`` (the rate multiplies the velocity).
    """

    momentum: float = Field(0.9, ge=0, lt=1)
    """How much of the last step's direction is kept."""
    nesterov: bool = False
    """Look ahead along the momentum before the step."""

    @model_validator(mode="after")
    def _can_act(self) -> SGD:
        if self.nesterov and self.momentum == 0:
            raise ValueError("nesterov needs a momentum above 0")
        return self

    def build(self, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
        """Make ``torch.optim.SGD`` (fused)."""
        import torch

        return torch.optim.SGD(
            groups, lr=self.learning_rate, momentum=self.momentum, nesterov=self.nesterov, fused=True
        )
