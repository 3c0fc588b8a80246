"""Adapters: which weights are trained. A new one is one file with one method."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from tuneloop.parts import Part

if TYPE_CHECKING:
    from torch import nn


class Adapter(Part, ABC):
    """Decides which weights of a model learn."""

    @abstractmethod
    def attach(self, model: nn.Module) -> nn.Module:
        """Make the model trainable in this way.

        Args:
            model: The loaded base, all weights frozen or not.

        Returns:
            The model to train: exactly the weights that learn have ``requires_grad``.

        Raises:
            TrainingError: An option cannot act (a module name that matches nothing).
        """

    def pace(self, name: str) -> float:  # noqa: ARG002
        """How many times the learning rate one weight learns with.

        Args:
            name: The weight's name in the model that :meth:`attach` gave.
        """
        return 1.0

    def acts(self, model: nn.Module) -> dict[str, Any]:  # noqa: ARG002
        """Say for the run's receipts what the options made of a model, read from the model itself.

        Args:
            model: What :meth:`attach` gave.
        """
        return {}
