"""A frozen linear layer with a LoRA product beside it, as one operation."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx


def lora_linear(
    x: Tensor, dropped: Tensor, weight: Tensor, bias: Tensor | None, a: Tensor, b: Tensor, scale: float
) -> Tensor:
    """``x W^T + bias + scale * (dropped A^T) B^T``.

    Args:
        x: Input, ``(..., inputs)``.
        dropped: The input of the product, ``x`` itself or ``x`` after dropout.
        weight: Frozen, ``(outputs, inputs)``; the products are computed in its dtype.
        bias: Frozen, ``(outputs,)``, or None.
        a: ``(rank, inputs)``.
        b: ``(outputs, rank)``.
        scale: ``lora_alpha / r``.

    Returns:
        ``(..., outputs)`` in the weight's dtype.

    Source:
        Hu et al., LoRA, 2021, section 4.1.
    """
    out: Tensor = _LoraLinear.apply(x, dropped, weight, bias, a, b, scale)  # type: ignore[no-untyped-call]
    return out


class _LoraLinear(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: FunctionCtx,
        x: Tensor,
        dropped: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        a: Tensor,
        b: Tensor,
        scale: float,
    ) -> Tensor:
        dtype = weight.dtype
        rows = x.reshape(-1, x.shape[-1]).to(dtype)
        taken = rows if dropped is x else dropped.reshape(rows.shape).to(dtype)
        narrow = taken @ a.to(dtype).t()
        out = rows @ weight.t() if bias is None else torch.addmm(bias.to(dtype), rows, weight.t())
        out.addmm_(narrow, b.to(dtype).t(), alpha=scale)
        ctx.save_for_backward(taken, narrow, weight, a, b)
        ctx.told = dropped is x, scale, x.dtype  # type: ignore[attr-defined]
        return out.view(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        taken, narrow, weight, a, b = ctx.saved_tensors
        same, scale, dtype = ctx.told
        rows = gradient.reshape(-1, gradient.shape[-1]).to(weight.dtype)
        dnarrow = (rows @ b.to(weight.dtype)).mul_(scale)
        da = (dnarrow.t() @ taken).to(a.dtype)
        db = (rows.t() @ narrow).to(b.dtype).mul_(scale)
        dx = ddropped = None
        if ctx.needs_input_grad[0]:
            dx = rows @ weight
            if same:
                dx.addmm_(dnarrow, a.to(weight.dtype))
            dx = dx.view(*gradient.shape[:-1], -1).to(dtype)
        if not same and ctx.needs_input_grad[1]:
            ddropped = (dnarrow @ a.to(weight.dtype)).view(*gradient.shape[:-1], -1).to(dtype)
        return dx, ddropped, None, None, da, db, None
