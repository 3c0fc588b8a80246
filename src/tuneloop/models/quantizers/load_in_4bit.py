"""Four bits a weight: NF4 or FP4 in blocks of 64 (QLoRA)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, final

from tuneloop.models.quantizers import Quantizer

if TYPE_CHECKING:
    from torch import nn

BLOCK = 64
BLOCKS = 256


@final
class LoadIn4Bit(Quantizer):
    """Rounds every block of 64 weights to 16 values between plus and minus its largest.

    A weight of a block with the largest magnitude ``c`` becomes ``c q[i]``: 4 bits for ``i`` and ``c`` kept once a
    block. With double quantisation ``c`` takes 8 bits itself: 4.13 bits a weight in all, against 4.5 without.

    Source:
        Dettmers et al., QLoRA, 2023, sections 3 (NormalFloat, double quantisation) and appendix E (the 16 values).
    """

    bnb_4bit_quant_type: Literal["nf4", "fp4"] = "nf4"
    """The 16 values: quantiles of a normal distribution (``nf4``), or floating-point numbers of 4 bits (``fp4``)."""
    bnb_4bit_use_double_quant: bool = True
    """Keep the scale of each block in 8 bits too."""
    bnb_4bit_compute_dtype: Literal["float32", "bfloat16", "float16"] | None = None
    """Numbers that products are computed in; null computes as ``train.precision`` says, and in fp32 when serving."""

    def quantize(self, layer: nn.Linear) -> nn.Module:
        """Give a layer of bitsandbytes with the same matrix in 4 bits, the bias as it is.

        Raises:
            MissingPackage: bitsandbytes is not installed.
        """
        import torch

        from tuneloop.models.quantizers import _bitsandbytes

        name = self.bnb_4bit_compute_dtype
        return _bitsandbytes.FourBits(
            layer,
            kind=self.bnb_4bit_quant_type,
            double=self.bnb_4bit_use_double_quant,
            compute=getattr(torch, name) if name is not None else None,
        )

    def nbytes(self, rows: int, columns: int) -> int:
        """Half a byte a weight, and the scales of the blocks."""
        weights = rows * columns
        blocks = -(-weights // BLOCK)
        table = 16 * 4
        if not self.bnb_4bit_use_double_quant:
            return -(-weights // 2) + 4 * blocks + table
        return -(-weights // 2) + blocks + 4 * -(-blocks // BLOCKS) + table + 256 * 4 + 4
