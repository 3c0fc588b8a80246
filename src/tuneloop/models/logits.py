"""Logits only where they are needed: the output head of a large vocabulary costs more than many layers."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


def logits_at(model: nn.Module, ids: Tensor, where: Tensor) -> Tensor:
    """Run a causal language model and give its logits at chosen positions only.

    The whole model runs as it is; a hook narrows what reaches its output head to the chosen positions. Whatever
    a family does to logits afterwards (scaling, soft caps) works element by element, so the result is what the
    full logits hold at these positions. No attention mask is needed: padding stands on the right, and causal
    attention never looks there.

    Args:
        model: A model of transformers, or a PEFT model around one.
        ids: Token ids, padded on the right, ``(batch, sequence)``, int64.
        where: True at the chosen positions, ``(batch, sequence)``, bool.

    Returns:
        Logits, ``(chosen, vocabulary)``, in row-major order of the positions.
    """
    inner: Any = model
    head: nn.Module = inner.get_output_embeddings()

    def narrow(_: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return (inputs[0][where], *inputs[1:])

    hook = head.register_forward_pre_hook(narrow)
    try:
        logits: Tensor = model(input_ids=ids, use_cache=False).logits
    finally:
        hook.remove()
    return logits


def summed_loss(model: nn.Module, ids: Tensor, labels: Tensor) -> Tensor:
    """Sum of the negative log-likelihoods of all labelled tokens, in nats, fp32, with gradient.

    Args:
        model: A causal language model.
        ids: Token ids, padded on the right, ``(batch, sequence)``, int64.
        labels: The ids to be learned at their own position, -100 elsewhere, ``(batch, sequence)``, int64.
    """
    nxt = labels[:, 1:]
    where = torch.zeros_like(labels, dtype=torch.bool)
    where[:, :-1] = nxt != -100
    logits = logits_at(model, ids, where)
    return nn.functional.cross_entropy(logits.float(), nxt[nxt != -100], reduction="sum")
