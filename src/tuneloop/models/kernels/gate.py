"""The gate of a feed-forward block: ``silu(gate) * up``."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx


def swiglu(gate: Tensor, up: Tensor) -> Tensor:
    """``silu(gate) * up``, element by element; only its two inputs are kept for the backward pass.

    Args:
        gate: Any shape.
        up: The same shape and dtype.

    Source:
        Shazeer, GLU Variants Improve Transformer, 2020, equation 5.
    """
    out: Tensor = _SwiGlu.apply(gate, up)  # type: ignore[no-untyped-call]
    return out


class _SwiGlu(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, gate: Tensor, up: Tensor) -> Tensor:
        ctx.save_for_backward(gate, up)
        return torch.nn.functional.silu(gate).mul_(up)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        gate, up = ctx.saved_tensors
        dup = torch.nn.functional.silu(gate).mul_(gradient)
        dgate = torch.ops.aten.silu_backward(gradient * up, gate)
        return dgate, dup
