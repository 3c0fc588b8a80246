"""Eight bits a weight: whole numbers, one scale a row."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from tuneloop.models.quantizers import Quantizer

if TYPE_CHECKING:
    from torch import nn


@final
class LoadIn8Bit(Quantizer):
    """Rounds every row of a matrix to whole numbers from -127 to 127 times one scale.

    A row with the largest magnitude ``c`` becomes ``c i / 127``: 8 bits for ``i``, and ``c`` kept once a row. Only
    weights are rounded: what goes through the layer is not, so that training, serving and export compute the same.

    Source:
        Dettmers et al., LLM.int8(), 2022, section 2.1 (absmax quantisation, by rows).
    """

    def quantize(self, layer: nn.Linear) -> nn.Module:
        """Give a layer of bitsandbytes with the same matrix in 8 bits, the bias as it is.

        Raises:
            MissingPackage: bitsandbytes is not installed.
        """
        from tuneloop.models.quantizers import _bitsandbytes

        return _bitsandbytes.EightBits(layer)

    def nbytes(self, rows: int, columns: int) -> int:
        """One byte a weight, and the scale of each row."""
        return rows * columns + 4 * rows
