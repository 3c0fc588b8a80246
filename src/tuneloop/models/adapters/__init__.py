"""Adapters: which weights are trained. A new one is one file with one method."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from tuneloop.errors import TrainingError
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

    def beside_quantized(self) -> None:
        """Agree to learn in a model whose matrices are quantised; adapters that add weights of their own can.

        Raises:
            TrainingError: It would train the quantised matrices themselves.
        """
        raise TrainingError(
            f"the base is quantised, and {self.name} would train what is rounded",
            where="train.adapter",
            fix="write adapter: lora, or leave model.quantization out",
        )

    def begin(self, model: nn.Module, batches: Callable[[int], Sequence[Any]]) -> None:
        """Take first values from the rows, where the adapter asks for that; called once, before the first step.

        Args:
            model: What :meth:`attach` gave.
            batches: Gives padded batches of training rows (``ids``, ``mask``, ``labels``) in the order of the first
                epoch, with at least so many supervised tokens each.

        Raises:
            TrainingError: The rows do not suffice.
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
