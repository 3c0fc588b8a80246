"""Probes: a forward pass over one row shows which options act on the way, before any weight has moved."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import nn

from tuneloop.errors import TrainingError
from tuneloop.models.layers import blocks, linear_layers
from tuneloop.tasks import Batch
from tuneloop.training.dropout import ATTENTION, FEED_FORWARD, LORA, dropout_found
from tuneloop.training.loop import Learner


def probes(learner: Learner) -> dict[str, Any]:
    """See on the shortest training row where dropout acts, in what products are computed, and what smoothing adds.

    Args:
        learner: Ready to learn; weights, modes and random generators are left as they are.

    Raises:
        TrainingError: The recipe asks for dropout, and some block, or the adapter, drops nothing.
    """
    (batch,) = learner.together(learner.train, [int(learner.train.lengths.argmin())])

    def run() -> float:
        with learner.precision.forward():
            return float(learner.loss(learner.model, batch))

    with _formats(learner.model) as formats:
        found = dropout_found(learner.model, run)
    _refuse_idle(learner, found)
    return {"dropout": found, "computed_in": Counter(formats.values()), "smoothing": _smoothing(learner, batch)}


def _refuse_idle(learner: Learner, found: dict[str, dict[str, Any]]) -> None:
    wanted = learner.section.regularization.dropout
    if wanted:
        count = len(blocks(learner.model))
        for place in (ATTENTION, FEED_FORWARD):
            there = found.get(place, {"modules": 0, "p": []})
            if there["modules"] < count or there["p"] != [wanted]:
                raise TrainingError(
                    f"dropout {wanted} acts in the {place} part of {there['modules']} of {count} blocks",
                    where="train.regularization.dropout",
                    fix="leave dropout out, or report this with the model's name",
                )
    if getattr(learner.section.adapter, "lora_dropout", 0.0) and LORA not in found:
        raise TrainingError(
            f"lora_dropout {learner.section.adapter.lora_dropout} drops nothing in the model",  # type: ignore[attr-defined]
            where="train.adapter.lora.lora_dropout",
            fix="write lora_dropout: 0, or report this with the model's name",
        )


@contextmanager
def _formats(model: nn.Module) -> Iterator[dict[str, str]]:
    """The formats of what the linear layers give, by name, seen while they compute."""
    found: dict[str, str] = {}

    def see(_: nn.Module, __: Any, output: Any, name: str) -> None:
        if isinstance(output, torch.Tensor):
            found[name] = str(output.dtype).removeprefix("torch.")

    layers = linear_layers(model)
    hooks = [layer.register_forward_hook(partial(see, name=name)) for name, layer in layers.items()]
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()


def _smoothing(learner: Learner, batch: Batch) -> dict[str, float] | None:
    """Loss of one row as it is, and as it is learned with smoothed labels, in nats per token, without dropout."""
    factor = getattr(learner.task, "label_smoothing_factor", 0.0)
    if not factor:
        return None
    losses: dict[str, float] = {"factor": factor}
    learner.model.eval()
    with torch.no_grad(), learner.precision.forward():
        for name, training in (("evaluation", False), ("training", True)):
            learner.model.training = training  # of the whole alone, so that no part of it drops anything
            losses[name] = float(learner.loss(learner.model, batch)) / max(1, batch.supervised)
    learner.model.train()
    if losses["evaluation"] == losses["training"]:
        raise TrainingError(
            f"label_smoothing_factor {factor} leaves the loss as it is",
            where=f"task.{learner.task.name}.label_smoothing_factor",
            fix="leave it out, or report this with your recipe",
        )
    return losses
