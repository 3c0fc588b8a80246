"""What became of the weights: how far the trained ones went, that frozen ones did not, and in what they are kept."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from tuneloop.errors import TrainingError
from tuneloop.training.processes.shards import whole

SAMPLE = 65_536
"""Elements of a trained matrix that are compared with their first values; all of a smaller one."""
FROZEN_SAMPLE = 256
"""Elements of a frozen matrix that go into the digest."""


@dataclass(frozen=True)
class Weights:
    """What the weights were before the first step: samples of the trained ones, a digest of the frozen ones."""

    trained: dict[str, torch.Tensor]
    frozen: str

    @classmethod
    def of(cls, model: nn.Module) -> Weights:
        """Take it from a model that is ready to learn."""
        trained = {name: _sample(weight, SAMPLE) for name, weight in model.named_parameters() if weight.requires_grad}
        return cls(trained, _frozen(model))


def moved(model: nn.Module, before: Weights, steps: int) -> dict[str, float]:
    """How far each trained matrix went: the Euclidean norm of its change, from a sample of a large one.

    Args:
        model: The model after the run.
        before: Its weights before.
        steps: Optimizer steps made.

    Raises:
        TrainingError: No trained weight moved, or a frozen one did.
    """
    far: dict[str, float] = {}
    for name, weight in model.named_parameters():
        if weight.requires_grad:
            first = before.trained[name]
            far[name] = (_sample(weight, SAMPLE) - first).norm().item() * (weight.numel() / first.numel()) ** 0.5
    if not any(change > 0 for change in far.values()):
        raise TrainingError(
            f"not one of {len(far)} trained matrices moved in {steps} steps",
            where="train.adapter",
            fix="see what tuneloop diagnose says: without a gradient they are cut off from the loss and no rate helps; "
            "else raise train.optimizer learning_rate",
        )
    if _frozen(model) != before.frozen:
        raise TrainingError(
            "frozen weights changed during training",
            where="train.adapter",
            fix="the adapter must freeze what it does not train: report this with your recipe",
        )
    return far


def new_layers(model: Any, before: Weights) -> dict[str, dict[str, float]]:
    """How the matrices of layers that the base did not have, such as a classifier's head, began.

    Args:
        model: The model that learned.
        before: Its weights before the first step.

    Returns:
        For each matrix its ``deviation`` and its ``farthest`` value from zero.
    """
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    new = tuple(f"{name}." for name in getattr(inner, "new_modules", ()))
    plain = {
        name.removeprefix("base_model.model.").replace(".modules_to_save.default.", "."): first.float()
        for name, first in before.trained.items()
    }
    return {
        name: {"deviation": float(first.std()), "farthest": float(first.abs().max())}
        for name, first in plain.items()
        if name.startswith(new) and name.endswith("weight")
    }


def kinds(model: nn.Module) -> dict[str, dict[str, Any]]:
    """What learns, by the kind of layer: how many matrices, of how many weights."""
    found: dict[str, dict[str, Any]] = {}
    for name, weight in model.named_parameters():
        if weight.requires_grad:
            parts = [part for part in name.split(".") if not part.isdigit() and part not in ("default", "weight")]
            kind = found.setdefault(".".join(parts[-2:]), {"matrices": 0, "weights": 0})
            kind["matrices"] += 1
            kind["weights"] += weight.numel()
    return found


def formats(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, dict[str, int]]:
    """The formats of the numbers themselves: how many of each are in trained weights, frozen ones, and states."""
    states = (value for values in optimizer.state.values() for value in values.values())
    return {
        "trained": _count(weight for weight in model.parameters() if weight.requires_grad),
        "frozen": _count(weight for weight in model.parameters() if not weight.requires_grad),
        "optimizer": _count(value for value in states if isinstance(value, torch.Tensor) and value.ndim),
    }


def _count(tensors: Iterable[torch.Tensor]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for tensor in tensors:
        name = str(tensor.dtype).removeprefix("torch.")
        counts[name] = counts.get(name, 0) + tensor.numel()
    return counts


def _frozen(model: nn.Module) -> str:
    digest = hashlib.sha256()
    for name, weight in model.named_parameters():
        if not weight.requires_grad:
            digest.update(name.encode())
            digest.update(_sample(weight, FROZEN_SAMPLE).contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _sample(weight: torch.Tensor, most: int) -> torch.Tensor:
    flat = whole(weight).reshape(-1)
    stride = max(1, -(-flat.numel() // most))
    return flat[::stride].cpu().clone()
