"""Groups: which weights learn alike, and what an optimizer keeps for each of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import nn

from tuneloop.training.section import TrainSection

Kind = Literal["matrix", "table", "other"]
PROBE = 512
"""Rows and columns of the small matrix on which an optimizer shows what it keeps."""


def learning(model: nn.Module) -> dict[str, nn.Parameter]:
    """The weights that learn, by name."""
    return {name: weight for name, weight in model.named_parameters() if weight.requires_grad}


def groups(model: nn.Module, weights: Mapping[str, nn.Parameter], section: TrainSection) -> list[dict[str, Any]]:
    """Put the weights that learn into groups for the optimizer.

    Matrices are pulled towards zero, norms and biases (one dimension) are not.

    Args:
        model: The model that they belong to.
        weights: The weights that learn, by name.
        section: The ``train`` section.

    Returns:
        Groups with ``params``, ``weight_decay``, ``pace`` (multiplies the rate) and ``kind``: ``matrix``, ``table``
        (embeddings and the output head) or ``other``.
    """
    tables = _tables(model)
    found: dict[tuple[float, float, Kind], list[nn.Parameter]] = {}
    for name, weight in weights.items():
        kind: Kind = "table" if id(weight) in tables else "matrix" if weight.ndim == 2 else "other"
        decay = section.optimizer.weight_decay if weight.ndim >= 2 else 0.0
        found.setdefault((decay, section.adapter.pace(name), kind), []).append(weight)
    return [
        {"params": each, "weight_decay": decay, "pace": pace, "kind": kind}
        for (decay, pace, kind), each in found.items()
    ]


def state_bytes(model: nn.Module, section: TrainSection) -> int:
    """Bytes that the optimizer and the pull to the start will keep for the weights that learn.

    Args:
        model: The model with its adapter; no numbers are needed, so it may lie on torch's *meta* device.
        section: The ``train`` section.

    Raises:
        MissingPackage: The optimizer needs a package that is not installed.
        TrainingError: An option of the optimizer cannot act on this machine.
    """
    kept: dict[Kind, float] = {}
    total = 0.0
    for group in groups(model, learning(model), section):
        kind = group["kind"]
        kept.setdefault(kind, _bytes_each(section, kind))
        total += kept[kind] * sum(weight.numel() for weight in group["params"])
    return round(total)


def _bytes_each(section: TrainSection, kind: Kind) -> float:
    """Bytes kept for each weight, seen on one small matrix."""
    from tuneloop.models.device import pick_device

    weight = nn.Parameter(torch.zeros(PROBE, PROBE, device=pick_device()))
    optimizer = section.optimizer.build([{"params": [weight], "weight_decay": 0.0, "kind": kind}])
    weight.grad = torch.ones_like(weight)
    optimizer.step()
    tensors = [value for value in optimizer.state[weight].values() if isinstance(value, torch.Tensor)]
    start = weight.element_size() if section.regularization.l2_start else 0
    return sum(value.numel() * value.element_size() for value in tensors) / weight.numel() + start


def _tables(model: Any) -> set[int]:
    """Ids of the weights of embeddings and of the output head."""
    found = {id(module.weight) for module in model.modules() if isinstance(module, nn.Embedding)}
    head = model.get_output_embeddings() if hasattr(model, "get_output_embeddings") else None
    return found | {id(weight) for weight in (head.parameters() if head is not None else ())}
