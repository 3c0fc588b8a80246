"""Recompute: blocks that keep only their input, and compute the rest again in the backward pass."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tuneloop.errors import TrainingError

if TYPE_CHECKING:
    from torch import nn


def recompute(model: nn.Module) -> None:
    """Let the blocks of a model compute again, in the backward pass, what they would have kept for it.

    It goes by transformers' own gradient checkpointing. Random numbers are drawn again as they were, so loss and
    gradients stay the same, dropout included. Only training mode is touched.

    Args:
        model: A model of transformers, or a PEFT model around one.

    Raises:
        TrainingError: The family does not support it.

    Source:
        Chen et al., Training Deep Nets with Sublinear Memory Cost, 2016.
    """
    inner = _inner(model)
    how = {"use_reentrant": False}
    if not getattr(inner, "supports_gradient_checkpointing", False):
        raise TrainingError(
            f"{type(inner).__name__} cannot compute its blocks a second time in the backward pass",
            where="train.batch.gradient_checkpointing",
            fix="write gradient_checkpointing: false; a smaller max_length saves memory too",
        )
    if hasattr(inner, "activation_checkpointing_enable"):
        inner.activation_checkpointing_enable(activation_checkpointing_kwargs=how)
    else:  # the name before transformers 5.20
        inner.gradient_checkpointing_enable(gradient_checkpointing_kwargs=how)
    # asked for by the older, reentrant way alone; it would carry gradients down to the frozen embeddings
    inner.disable_input_require_grads()


def keep(model: nn.Module) -> None:
    """Let the blocks keep what they compute again; the opposite of :func:`recompute`."""
    inner = _inner(model)
    if hasattr(inner, "activation_checkpointing_disable"):
        inner.activation_checkpointing_disable()
    else:
        inner.gradient_checkpointing_disable()


def recomputed(model: nn.Module) -> int:
    """How many modules compute again what they do not keep."""
    return sum(bool(getattr(module, "gradient_checkpointing", False)) for module in _inner(model).modules())


def _inner(model: Any) -> Any:
    return model.get_base_model() if hasattr(model, "get_base_model") else model
