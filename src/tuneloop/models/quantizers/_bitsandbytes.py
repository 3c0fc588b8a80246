"""Layers of bitsandbytes that compute the same in training, evaluation and serving.

As they come, they do not. A 4-bit layer in evaluation mode repacks its matrix for a bf16 kernel on processors that
have one; the training that follows then loses its gradient. An 8-bit layer in evaluation mode rounds its inputs to
8 bits too. Both are switched off here: the matrix is what is quantised, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from tuneloop.errors import MissingPackage
from tuneloop.parts import install

try:
    from bitsandbytes import functional
    from bitsandbytes.nn.modules import Int8Params, Linear4bit, Linear8bitLt, Params4bit
except ModuleNotFoundError as error:
    raise MissingPackage(
        "a quantised base needs the package 'bitsandbytes', which is not installed",
        where="model.quantization",
        fix=install("bitsandbytes"),
    ) from error


class FourBits(Linear4bit):  # type: ignore[misc]
    """A linear layer whose matrix is kept in blocks of 64 numbers of 4 bits.

    Args:
        layer: The layer whose matrix and bias it takes.
        kind: ``nf4`` or ``fp4``.
        double: Whether the scales of the blocks take 8 bits.
        compute: What products are computed in; None takes what comes in.
    """

    def __init__(self, layer: nn.Linear, *, kind: str, double: bool, compute: torch.dtype | None) -> None:
        with torch.device("meta"):
            super().__init__(layer.in_features, layer.out_features, False)
        plain = layer.weight.detach()
        self.weight = Params4bit(plain, compress_statistics=double, quant_type=kind, module=self).to(plain.device)
        self.bias = layer.bias
        self.compute_dtype = compute

    @property
    def values(self) -> str:
        """Of what kind its numbers are."""
        kind: str = self.weight.quant_state.quant_type
        return kind

    @property
    def double(self) -> bool:
        """Whether its scales are quantised too."""
        return bool(self.weight.quant_state.nested)

    def forward(self, x: Tensor) -> Tensor:
        """Multiply ``(..., inputs)`` by the matrix that the numbers stand for; gives ``(..., outputs)``."""
        return _times(self, x)

    def matrix(self, dtype: torch.dtype) -> Tensor:
        """The matrix that the numbers stand for, ``(outputs, inputs)``."""
        self.weight.quant_state.dtype = dtype  # what it is restored in
        restored: Tensor = functional.dequantize_4bit(self.weight.data, self.weight.quant_state)
        return restored

    def held(self) -> list[Tensor]:
        """All tensors that hold the matrix: its numbers, scales and tables."""
        state = self.weight.quant_state
        kept = [self.weight.data, state.absmax, state.code]
        return [*kept, state.offset, state.state2.absmax, state.state2.code] if state.nested else kept


class EightBits(Linear8bitLt):  # type: ignore[misc]
    """A linear layer whose matrix is kept as whole numbers with a scale for each row.

    Args:
        layer: The layer whose matrix and bias it takes.
    """

    values = "int8"
    double = False
    scale: Tensor

    def __init__(self, layer: nn.Linear) -> None:
        with torch.device("meta"):
            super().__init__(layer.in_features, layer.out_features, False, has_fp16_weights=False)
        plain = layer.weight.detach().float()
        largest = plain.abs().amax(dim=1)
        whole = (plain * (127 / largest.clamp(min=1e-30))[:, None]).round()
        self.weight = Int8Params(whole.to(torch.int8), requires_grad=False)
        self.bias = layer.bias
        self.register_buffer("scale", largest, persistent=False)
        self.state.SCB = largest
        self.compute_dtype: torch.dtype | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Multiply ``(..., inputs)`` by the matrix that the numbers stand for; gives ``(..., outputs)``."""
        return _times(self, x)

    def matrix(self, dtype: torch.dtype) -> Tensor:
        """The matrix that the numbers stand for, ``(outputs, inputs)``."""
        restored: Tensor = self.weight.data.to(self.scale.dtype) * (self.scale / 127)[:, None]
        return restored.to(dtype)

    def held(self) -> list[Tensor]:
        """All tensors that hold the matrix: its numbers and scales."""
        return [self.weight.data, self.scale]

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> EightBits:
        kept = self.scale
        super()._apply(fn, recurse)
        self.scale = self.state.SCB = kept.to(self.weight.device)  # in fp32 whatever the rest of the model becomes
        return self


def _times(layer: FourBits | EightBits, x: Tensor) -> Tensor:
    inputs = x if layer.compute_dtype is None else x.to(layer.compute_dtype)
    product: Tensor = _Product.apply(inputs, layer)  # type: ignore[no-untyped-call]
    if layer.bias is not None:
        product = product + layer.bias.to(product.dtype)
    return product.to(x.dtype)


class _Product(torch.autograd.Function):
    """``x Wᵀ`` for a frozen ``W``; the matrix is restored anew for the backward pass instead of being kept."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, layer: FourBits | EightBits) -> Tensor:
        ctx.layer = layer
        return nn.functional.linear(x, layer.matrix(x.dtype))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        return grads[0] @ ctx.layer.matrix(grads[0].dtype), None
