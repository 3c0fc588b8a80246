"""Optimizers: how a gradient becomes a step. A new one is one file with one method."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from pydantic import Field

from tuneloop.parts import Part

if TYPE_CHECKING:
    import torch


class Optimizer(Part, ABC):
    """Makes a torch optimizer."""

    learning_rate: float = Field(2e-4, gt=0)
    """The highest learning rate; the schedule scales it."""
    weight_decay: float = Field(0.0, ge=0)
    """Pull towards zero; never on norms and biases."""

    @abstractmethod
    def build(self, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
        """Make the optimizer.

        Args:
            groups: Parameter groups: one with weight decay set, one (norms, biases) with none.
        """
