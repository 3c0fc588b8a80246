"""Torch optimizers that the parts build and torch does not have: Lion, two in one, and 8-bit states that come back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.optim.optimizer import ParamsT


class LionSteps(torch.optim.Optimizer):
    """The sign of a mix of the gradient and its running mean.

    With ``c = b1 m + (1 - b1) g`` a step is ``w <- w - rate (sign(c) + weight_decay w)``, then
    ``m <- b2 m + (1 - b2) g``.

    Args:
        groups: Parameter groups.
        lr: The rate of groups that have none of their own.
        betas: ``b1`` of the direction and ``b2`` of the running mean.
    """

    def __init__(self, groups: ParamsT, lr: float, betas: tuple[float, float]) -> None:
        super().__init__(groups, {"lr": lr, "betas": betas, "weight_decay": 0.0})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Make one step; ``closure``, where given, computes the loss and the gradients first."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            weights = [weight for weight in group["params"] if weight.grad is not None]
            if weights:
                self._step(weights, group)
        return loss

    def _step(self, weights: list[torch.Tensor], group: dict[str, Any]) -> None:
        first, second = group["betas"]
        gradients = [weight.grad for weight in weights if weight.grad is not None]
        for weight in weights:
            if not self.state[weight]:
                self.state[weight]["exp_avg"] = torch.zeros_like(weight)
        means = [self.state[weight]["exp_avg"] for weight in weights]
        if group["weight_decay"]:
            torch._foreach_mul_(weights, 1 - group["lr"] * group["weight_decay"])
        directions = torch._foreach_lerp(means, gradients, 1 - first)
        torch._foreach_sign_(directions)
        torch._foreach_add_(weights, directions, alpha=-group["lr"])
        torch._foreach_lerp_(means, gradients, 1 - second)


class Together(torch.optim.Optimizer):
    """Several optimizers that step as one, each with its own groups, and with one state for all of them.

    Args:
        parts: Optimizers of different weights.
    """

    def __init__(self, parts: Sequence[torch.optim.Optimizer]) -> None:
        self.parts = list(parts)
        super().__init__([group for part in parts for group in part.param_groups], {})
        self._share()

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take a loaded state, and give each part its groups of it."""
        super().__setstate__(state)
        self._share()

    def _share(self) -> None:
        """Let the parts see the groups and the state of the whole; groups stand in the order of the parts."""
        groups = iter(self.param_groups)
        for part in self.parts:
            part.param_groups = [next(groups) for _ in part.param_groups]
            part.state = self.state

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Make one step of every part; ``closure``, where given, computes the loss and the gradients first."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for part in self.parts:
            part.step()
        return loss
