"""Cross-entropy of a frozen output head, without ever holding all logits."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx

TILE = 4096
"""Rows of the vocabulary that are looked at together on a CPU, so that their logits stay in its cache."""
HELD = 2**25
"""Logits that are held at once, at most."""


def head_losses(hidden: Tensor, weight: Tensor, bias: Tensor | None, targets: Tensor, smoothing: float = 0.0) -> Tensor:
    """Cross-entropies of ``hidden weight^T + bias``, each with its gradient formed in the forward pass.

    Args:
        hidden: Last hidden states, ``(tokens, size)``.
        weight: The frozen head, ``(vocabulary, size)``.
        bias: ``(vocabulary,)`` or None.
        targets: Right tokens, ``(tokens,)``, int64.
        smoothing: Share of the target that is spread evenly over the vocabulary.

    Returns:
        ``(tokens,)``, fp32, in nats.

    Source:
        ``-(1 - s) log p[target] - s mean(log p)``, whose slope by the logits is ``p - (1 - s) onehot - s / vocabulary``
        (Szegedy et al., Rethinking the Inception Architecture, 2016, section 7).
    """
    out: Tensor = _HeadLosses.apply(hidden, weight, bias, targets, smoothing)  # type: ignore[no-untyped-call]
    return out


class _HeadLosses(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: FunctionCtx, hidden: Tensor, weight: Tensor, bias: Tensor | None, targets: Tensor, smoothing: float
    ) -> Tensor:
        rows = max(1, HELD // weight.shape[0])
        tile = weight.shape[0] if hidden.is_cuda else TILE
        wanted = ctx.needs_input_grad[0]  # type: ignore[attr-defined]
        losses = hidden.new_empty(len(hidden), dtype=torch.float32)
        slope = torch.empty_like(hidden) if wanted else None
        for start in range(0, len(hidden), rows):
            part = slice(start, start + rows)
            found = _part(hidden[part], weight, bias, targets[part], smoothing, tile, wanted)
            losses[part] = found[0]
            if slope is not None and found[1] is not None:
                slope[part] = found[1]
        if slope is not None:
            ctx.save_for_backward(slope)
        return losses

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (slope,) = ctx.saved_tensors
        return (slope * gradient[:, None].to(slope.dtype)), None, None, None, None


def _part(
    hidden: Tensor, weight: Tensor, bias: Tensor | None, targets: Tensor, smoothing: float, tile: int, wanted: bool
) -> tuple[Tensor, Tensor | None]:
    """Losses of some tokens, and the slope of each by its hidden state."""
    count, size = hidden.shape
    vocabulary = weight.shape[0]
    starts = range(0, vocabulary, tile)
    highest = torch.full((count, 1), float("-inf"), device=hidden.device)
    summed = torch.zeros((count, 1), device=hidden.device)
    right = torch.zeros(count, device=hidden.device)
    mean = torch.zeros(count, device=hidden.device)
    shares: list[tuple[Tensor, Tensor]] = []
    for start in starts:
        logits = _logits(hidden, weight, bias, start, tile)
        inside, column = _inside(targets, start, logits.shape[1])
        right[inside] = logits[inside, column]
        if smoothing:
            mean += logits.sum(1) / vocabulary
        above = torch.maximum(highest, logits.amax(1, keepdim=True))
        summed.mul_((highest - above).exp_())
        logits.sub_(above).exp_()
        summed += logits.sum(1, keepdim=True)
        highest = above
        if wanted:
            shares.append((logits.to(hidden.dtype), above))
    total = (highest + summed.log())[:, 0]
    losses = total - (1 - smoothing) * right - smoothing * mean
    if not wanted:
        return losses, None
    slope = torch.zeros((count, size), device=hidden.device)
    shares.reverse()  # to be taken from the end, so that each tile is freed when it is done
    for start in starts:
        share, above = shares.pop()
        chances = share.mul_((above - total[:, None]).exp_().to(share.dtype))
        inside, column = _inside(targets, start, chances.shape[1])
        # from the fp32 logit: where the right token is nearly certain, a bfloat16 chance minus one would be zero
        chances[inside, column] = ((right - total).exp_() - (1 - smoothing))[inside].to(chances.dtype)
        if smoothing:
            chances -= smoothing / vocabulary
        slope += chances @ weight[start : start + tile]
    return losses, slope.to(hidden.dtype)


def _logits(hidden: Tensor, weight: Tensor, bias: Tensor | None, start: int, tile: int) -> Tensor:
    """Logits of one tile, fp32."""
    logits = (hidden @ weight[start : start + tile].t()).float()
    return logits if bias is None else logits.add_(bias[start : start + tile])


def _inside(targets: Tensor, start: int, width: int) -> tuple[Tensor, Tensor]:
    """Which targets lie in a tile, and in which of its columns."""
    column = targets - start
    inside = ((column >= 0) & (column < width)).nonzero()[:, 0]
    return inside, column[inside]
