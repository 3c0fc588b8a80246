"""Norms: how long the gradient is, in all and in every layer, from norms that are taken anyway."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tuneloop.training.processes.shards import is_shard, whole

EMBEDDING, HEAD, OTHER = "embedding", "head", "other"


def total_norm(gradients: Sequence[Tensor]) -> tuple[Tensor, Tensor | None]:
    """The Euclidean norm of a whole gradient, and that of each of its tensors.

    The total is, bit for bit, what :func:`torch.nn.utils.get_total_norm` gives.

    Args:
        gradients: The gradient's tensors.

    Returns:
        The norm, a scalar; and the norms, ``(tensors,)``, or None where processes hold parts of tensors, or tensors
        lie on several devices.
    """
    kinds = {(gradient.device, gradient.dtype) for gradient in gradients}
    if len(kinds) != 1 or any(map(is_shard, gradients)):
        return whole(nn.utils.get_total_norm(list(gradients))), None
    each = torch.stack(list(torch._foreach_norm(list(gradients))))
    return torch.linalg.vector_norm(each), each


class Groups:
    """The layers that the weights of a model belong to, found in their names.

    Args:
        model: A model of transformers, or a PEFT model around one.
        weights: The weights that learn, by name.

    Attributes:
        names: ``embedding``, ``layers.00`` and so on, ``head``, ``other``: those that hold weights that learn.
    """

    def __init__(self, model: Any, weights: dict[str, nn.Parameter]) -> None:
        tables = {id(model.get_input_embeddings())} if hasattr(model, "get_input_embeddings") else set()
        embeddings = [name for name, module in model.named_modules() if id(module) in tables]
        plain = {name: _plain(name) for name in weights}
        last = max((int(match[1]) for name in plain.values() if (match := _LAYER.search(name))), default=0)
        inner = model.get_base_model() if hasattr(model, "get_base_model") else model
        prefix = getattr(inner, "base_model_prefix", "")
        named = {
            id(weight): _group(plain[name], [_plain(each) for each in embeddings], prefix, max(2, len(str(last))))
            for name, weight in weights.items()
        }
        self.names = sorted(set(named.values()))
        self._number = {weight: self.names.index(name) for weight, name in named.items()}

    def norms(self, weights: Sequence[nn.Parameter], each: np.ndarray) -> dict[str, float]:
        """The groups' gradient norms by their signals' names.

        Args:
            weights: The weights that have a gradient.
            each: The norms of their gradients, ``(weights,)``.
        """
        numbers = np.array([self._number[id(weight)] for weight in weights], np.int64)
        squares = np.bincount(numbers, each.astype(np.float64) ** 2, minlength=len(self.names))
        there = np.bincount(numbers, minlength=len(self.names)) > 0
        found = zip(self.names, np.sqrt(squares).tolist(), there.tolist(), strict=True)
        return {f"grad_norm/{name}": norm for name, norm, has in found if has}


_LAYER = re.compile(r"(?:^|\.)(\d+)(?:\.|$)")


def _plain(name: str) -> str:
    """A weight's name without what PEFT puts before it."""
    return name.removeprefix("base_model.model.")


def _group(name: str, embeddings: Sequence[str], prefix: str, width: int) -> str:
    layer = _LAYER.search(name)
    if layer:
        return f"layers.{int(layer[1]):0{width}d}"
    if any(name.startswith(f"{each}.") for each in embeddings if each) or "embed" in name:
        return EMBEDDING
    return OTHER if prefix and name.startswith(f"{prefix}.") else HEAD
