"""Root mean square norm."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx


def rms_norm(x: Tensor, weight: Tensor, epsilon: float) -> Tensor:
    """``weight * x / sqrt(mean(x^2) + epsilon)`` over the last dimension, in the dtype of ``x``.

    Args:
        x: ``(..., size)``.
        weight: ``(size,)``.
        epsilon: Keeps the root away from zero.

    Source:
        Zhang and Sennrich, Root Mean Square Layer Normalization, 2019, equation 4.
    """
    out: Tensor = _RmsNorm.apply(x, weight, epsilon)  # type: ignore[no-untyped-call]
    return out


class _RmsNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor, weight: Tensor, epsilon: float) -> Tensor:
        size = x.shape[-1]
        length = torch.linalg.vector_norm(x, dim=-1, keepdim=True, dtype=torch.float32)
        factor = torch.rsqrt(length.square_().div_(size).add_(epsilon))
        ctx.save_for_backward(x, weight, factor)
        out = x.float() * factor
        return out.mul_(weight).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        x, weight, factor = ctx.saved_tensors
        unit = x.float().mul(factor)
        dweight = None
        if ctx.needs_input_grad[1]:
            dweight = (gradient * unit).reshape(-1, x.shape[-1]).sum(0).to(weight.dtype)
        if not ctx.needs_input_grad[0]:
            return None, dweight, None
        pulled = gradient.float() * weight
        along = (pulled * unit).mean(-1, keepdim=True)
        dx = pulled.sub_(unit.mul_(along)).mul_(factor)
        return dx.to(x.dtype), dweight, None
