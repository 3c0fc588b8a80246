"""Logits and losses only where they are needed: the output head of a large vocabulary costs more than many layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from tuneloop.models.kernels.attention import Documents
from tuneloop.models.kernels.head import HELD, head_losses
from tuneloop.models.prefixes import shared
from tuneloop.models.stream import reading, shares_prefixes

LARGE = 1000.0
"""The largest logit that a head is tried with."""
_bare: WeakKeyDictionary[nn.Module, bool] = WeakKeyDictionary()


def logits_at(model: nn.Module, ids: Tensor, where: Tensor, ends: tuple[int, ...] = ()) -> Tensor:
    """Run a causal language model and give its logits at chosen positions only.

    The whole model runs as it is; a hook narrows what reaches its output head to the chosen positions. Whatever
    a family does to logits afterwards (scaling, soft caps) works element by element, so the result is what the
    full logits hold at these positions. No attention mask is needed: padding stands on the right, and causal
    attention never looks there.

    Args:
        model: A model of transformers, or a PEFT model around one.
        ids: Token ids, ``(rows, sequence)`` padded on the right, or ``(1, tokens)`` when packed; int64.
        where: True at the chosen positions, of the same shape, bool.
        ends: Packed: where each sequence ends; empty when padded.

    Returns:
        Logits, ``(chosen, vocabulary)``, in row-major order of the positions.
    """
    ids, documents, pick = _laid_out(model, ids, where, ends)
    return _run(model, ids, documents, pick)


def hidden_at(model: nn.Module, ids: Tensor, where: Tensor, ends: tuple[int, ...] = ()) -> Tensor:
    """Run a causal language model and give what would reach its output head at chosen positions.

    What several sequences of a stream begin with is read once, where the model's :mod:`streams
    <tuneloop.models.stream>` say that this is exact.

    Args:
        model: A model of transformers, or a PEFT model around one.
        ids: Token ids, ``(rows, sequence)`` padded on the right, or ``(1, tokens)`` when packed; int64.
        where: True at the chosen positions, of the same shape, bool.
        ends: Packed: where each sequence ends; empty when padded.

    Returns:
        Hidden states, ``(chosen, size)``, in row-major order of the positions.
    """
    seen: list[Tensor] = []
    ids, documents, pick = _laid_out(model, ids, where, ends)

    def keep(hidden: Tensor) -> Tensor:
        seen.append(pick(hidden))
        return seen[0][:0]

    _run(model, ids, documents, keep)
    return seen[0]


def _laid_out(
    model: nn.Module, ids: Tensor, where: Tensor, ends: tuple[int, ...]
) -> tuple[Tensor, Documents | None, Callable[[Tensor], Tensor]]:
    """What the model reads, and how the chosen positions are picked from what it gives."""
    found = shared(ids, ends) if shares_prefixes(model, ends) else None
    if found is None:
        return ids, Documents(ends) if ends else None, lambda hidden: hidden[where]
    chosen = found.places[where[0]]
    return found.ids, found.documents, lambda hidden: hidden[0].index_select(0, chosen)


def token_losses(
    model: nn.Module, ids: Tensor, labels: Tensor, ends: tuple[int, ...] = (), *, smoothing: float = 0.0
) -> Tensor:
    """Cross-entropies of all labelled tokens, in nats, ``(labelled,)`` in row-major order, fp32, with gradient.

    Without smoothing these are the negative log-likelihoods.

    Args:
        model: A causal language model.
        ids: Token ids, ``(rows, sequence)`` padded on the right, or ``(1, tokens)`` when packed; int64.
        labels: The ids to be learned at their own position, -100 elsewhere, of the same shape, int64; the first token
            of a sequence has no label.
        ends: Packed: where each sequence ends; empty when padded.
        smoothing: Share of each target that is spread evenly over the vocabulary.
    """
    nxt = labels[:, 1:]
    where = torch.zeros_like(labels, dtype=torch.bool)
    where[:, :-1] = nxt != -100
    targets = nxt[nxt != -100]
    if not has_bare_head(model):
        logits = logits_at(model, ids, where, ends)
        return nn.functional.cross_entropy(logits.float(), targets, reduction="none", label_smoothing=smoothing)
    head: Any = model.get_output_embeddings()  # type: ignore[operator]
    hidden = hidden_at(model, ids, where, ends)
    if type(head) is nn.Linear and not any(weight.requires_grad for weight in head.parameters()):
        return head_losses(hidden.to(head.weight.dtype), head.weight, head.bias, targets, smoothing)
    return _learned_head_losses(head, hidden, targets, smoothing)


def _learned_head_losses(head: nn.Module, hidden: Tensor, targets: Tensor, smoothing: float) -> Tensor:
    """Losses through a head that learns, some tokens at a time; their logits are computed again for the gradient."""
    from torch.utils.checkpoint import checkpoint

    def losses(hidden: Tensor, targets: Tensor) -> Tensor:
        logits = head(hidden).float()
        return nn.functional.cross_entropy(logits, targets, reduction="none", label_smoothing=smoothing)

    rows = max(1, HELD // _vocabulary(head))
    if len(hidden) <= rows:
        return losses(hidden, targets)
    parts = zip(torch.split(hidden, rows), torch.split(targets, rows), strict=True)
    return torch.cat([checkpoint(losses, *part, use_reentrant=False) for part in parts])


def _vocabulary(head: Any) -> int:
    return max(len(weight) for weight in head.parameters() if weight.ndim > 1)


def has_bare_head(model: nn.Module) -> bool:
    """Whether a model's logits are what its head makes of the hidden states, and nothing more; tried once."""
    if model not in _bare:
        _bare[model] = _is_bare(model)
    return _bare[model]


def _is_bare(model: nn.Module) -> bool:
    head: Any = model.get_output_embeddings()  # type: ignore[operator]
    weight = next(head.parameters())
    if type(weight.data) is not Tensor:  # a part of it lies on another device
        return False
    ids = torch.tensor([[1, 2, 0]], device=weight.device) % _vocabulary(head)
    training = head.training
    seen: list[Tensor] = []

    def keep(hidden: Tensor) -> Tensor:
        seen.append(hidden)
        return hidden

    with torch.no_grad(), torch.random.fork_rng([weight.device] if weight.is_cuda else []):
        head.eval()
        logits = _run(model, ids, None, keep)
        expected = head(seen[0])
        head.train(training)
    return torch.equal(logits, expected.to(logits.dtype))


def _run(model: nn.Module, ids: Tensor, documents: Documents | None, narrow: Callable[[Tensor], Tensor]) -> Tensor:
    """Run a model with something done to what reaches its output head."""
    inner: Any = model
    head: nn.Module = inner.get_output_embeddings()
    told = {"documents": documents, "position_ids": documents.positions(ids.device)} if documents else {}

    def before(_: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return (narrow(inputs[0]), *inputs[1:])

    hook = head.register_forward_pre_hook(before)
    try:
        with reading(documents):
            logits: Tensor = inner(input_ids=ids, use_cache=False, **told).logits
    finally:
        hook.remove()
    return logits
