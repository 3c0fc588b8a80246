"""Pulls: after every step the weights go a little towards zero (L1), or back to where training began (L2-SP)."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from tuneloop.training.processes.shards import whole
from tuneloop.training.section import Regularization


class Pull:
    """Two pulls beside the gradient, as AdamW's weight decay is: they scale with the rate and with nothing else.

    After each step of the optimizer, with the rate of the weight's group::

        w <- w - rate * l2_start * (w - start)              every weight that learns
        w <- sign(w) * max(|w| - rate * l1, 0)              matrices only, not norms and biases

    Args:
        optimizer: Its steps are followed.
        l1: Strength of the pull to zero; 0 for none.
        l2_start: Strength of the pull to the start; 0 for none. The weights as they are now are the start.

    Source:
        Li et al., Explicit Inductive Bias for Transfer Learning with Convolutional Networks, 2018 (L2-SP),
        decoupled from the gradient as in Loshchilov and Hutter, 2017; L1 as the proximal step of Parikh and Boyd,
        Proximal Algorithms, 2014, section 6.5.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, l1: float, l2_start: float) -> None:
        self.l1 = l1
        self.l2_start = l2_start
        self.steps = 0
        weights = [weight for group in optimizer.param_groups for weight in group["params"]]
        self.starts = {weight: weight.detach().clone() for weight in weights} if l2_start else {}
        optimizer.register_step_post_hook(self._follow)

    @classmethod
    def of(cls, optimizer: torch.optim.Optimizer, wanted: Regularization) -> Pull | None:
        """Follow an optimizer where one of the pulls is asked for."""
        return cls(optimizer, wanted.l1, wanted.l2_start) if wanted.l1 or wanted.l2_start else None

    @torch.no_grad()
    def _follow(self, optimizer: torch.optim.Optimizer, _: Any, __: Any) -> None:
        self.steps += 1
        for group in optimizer.param_groups:
            rate = float(group["lr"])
            if self.l2_start:
                starts = [self.starts[weight] for weight in group["params"]]
                torch._foreach_lerp_(group["params"], starts, min(1.0, rate * self.l2_start))
            if self.l1:
                for weight in group["params"]:
                    if weight.ndim >= 2:
                        weight.copy_(nn.functional.softshrink(weight, rate * self.l1))

    def proof(self, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
        """How often it pulled since the run began or went on, and what shows of it in the weights.

        Args:
            optimizer: The one it follows.

        Returns:
            ``steps``; ``distance`` of all weights from the start (Euclidean norm; None without ``l2_start``); the share
            of ``zeros`` in the matrices (None without ``l1``).
        """
        distance = zeros = None
        if self.starts:
            squares = [(whole(weight) - whole(start)).square().sum().item() for weight, start in self.starts.items()]
            distance = sum(squares) ** 0.5
        if self.l1:
            matrices = [whole(each) for group in optimizer.param_groups for each in group["params"] if each.ndim >= 2]
            zeros = sum(int((each == 0).sum()) for each in matrices) / sum(each.numel() for each in matrices)
        return {"l1": self.l1, "l2_start": self.l2_start, "steps": self.steps, "distance": distance, "zeros": zeros}
