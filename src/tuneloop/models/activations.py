"""Activations: the bytes that a forward pass keeps for its backward pass, from shapes alone."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from tuneloop.models.kernels.attention import Documents
from tuneloop.models.quick import quicken
from tuneloop.models.recompute import keep, recompute
from tuneloop.models.stream import NotPackable, leave_streams, reading, take_streams


def activations(model: Any, rows: int, tokens: int, *, packed: bool, again: bool) -> int:
    """Bytes that autograd keeps up to the output head, in fp32, each tensor counted once.

    Args:
        model: A model on torch's *meta* device; it is given the kernels that it trains with.
        rows: Rows that go through it at once.
        tokens: Tokens of each of them.
        packed: Whether they stand in one stream.
        again: Whether blocks are computed again in the backward pass; then the one that is being computed counts too.

    Raises:
        TrainingError: They are to be computed again, and the family cannot do it.
    """
    model.train()
    quicken(model)
    usual = _kept(model, rows, tokens, packed)
    if not again:
        return usual
    recompute(model)
    fewer = _kept(model, rows, tokens, packed)
    keep(model)
    return fewer + (usual - fewer) // int(model.config.get_text_config().num_hidden_layers)


def _kept(model: Any, rows: int, tokens: int, packed: bool) -> int:
    if packed:
        try:
            take_streams(model)
            return _counted(model, rows, tokens, (1, rows * tokens), Documents(_ends(rows, tokens)))
        except (NotPackable, RuntimeError, TypeError, ValueError):  # then it learns from padded rows
            leave_streams(model)
    return _counted(model, rows, tokens, (rows, tokens), None)


def _ends(rows: int, tokens: int) -> tuple[int, ...]:
    return tuple(tokens * (row + 1) for row in range(rows))


def _counted(model: Any, rows: int, tokens: int, shape: tuple[int, int], documents: Documents | None) -> int:
    """Storages that one forward pass saves; attention matrices of padded rows are not kept by real devices' kernels."""
    kept: dict[int, Tensor] = {}
    weights = {id(weight) for weight in model.parameters()}
    matrix = rows * int(model.config.get_text_config().num_attention_heads) * tokens * tokens

    def pack(tensor: Tensor) -> Tensor:
        square = documents is None and tensor.shape[-2:] == (tokens, tokens) and tensor.numel() == matrix
        if id(tensor) not in weights and not square:
            kept.setdefault(tensor.untyped_storage()._cdata, tensor)
        return tensor

    def first_only(_: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return (inputs[0][:, :1],)

    head = model.get_output_embeddings()
    hook = head.register_forward_pre_hook(first_only) if head is not None else None
    meta = torch.device("meta")
    told: dict[str, Any] = {}
    # masks are given as they reach the attention, so that no number is looked at: a stream's is a window's size alone
    if documents is None:
        told["attention_mask"] = torch.ones((1, 1, tokens, tokens), dtype=torch.bool, device=meta)
    else:
        told |= {"documents": documents, "position_ids": documents.positions(meta)}
        told["attention_mask"] = torch.full((1, 1, 1, 1), tokens)
    try:
        with reading(documents), torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            model(input_ids=torch.zeros(shape, dtype=torch.int64, device=meta), use_cache=False, **told)
    finally:
        if hook is not None:
            hook.remove()
    storages = {tensor.untyped_storage()._cdata: tensor for tensor in model.parameters()}
    return sum(tensor.untyped_storage().nbytes() for key, tensor in kept.items() if key not in storages)
