"""Quantizers: the frozen matrices of a base in few bits. A new one is one file with two methods."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from tuneloop.parts import Part

if TYPE_CHECKING:
    from torch import nn


class Quantizer(Part, ABC):
    """Holds the matrix of a linear layer in few bits; an adapter learns beside it."""

    @abstractmethod
    def quantize(self, layer: nn.Linear) -> nn.Module:
        """Give the layer that computes with the quantised matrix, always in the same way, training or not.

        It is a linear layer too, with a ``weight`` of whole numbers, and says of itself: ``matrix(dtype)``, the matrix
        that it computes with; ``held()``, the tensors that hold it; ``values``, of what kind its numbers are;
        ``double``, whether its scales are quantised too; and ``compute_dtype``, in what it computes.

        Args:
            layer: A linear layer; its matrix ``(outputs, inputs)`` is where it is to be computed.

        Raises:
            MissingPackage: The package that computes with such matrices is not installed.
        """

    @abstractmethod
    def nbytes(self, rows: int, columns: int) -> int:
        """Bytes that a matrix takes.

        Args:
            rows: Outputs of the layer.
            columns: Inputs of the layer.
        """
