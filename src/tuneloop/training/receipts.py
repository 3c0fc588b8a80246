"""Receipts: proof that what the recipe asked for is what happened, taken from the weights and the run itself."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from tuneloop.errors import TrainingError
from tuneloop.training.loop import Learner
from tuneloop.training.noise import noise_proof
from tuneloop.training.state import State

SAMPLE = 65_536
"""Elements of a trained matrix that are compared with their first values; all of a smaller one."""
FROZEN_SAMPLE = 256
"""Elements of a frozen matrix that go into the digest."""


@dataclass(frozen=True)
class Before:
    """What the weights were before the first step: samples of the trained ones, a digest of the frozen ones."""

    trained: dict[str, torch.Tensor]
    frozen: str

    @classmethod
    def of(cls, model: nn.Module) -> Before:
        """Take it from a model that is ready to learn."""
        trained = {name: _sample(weight, SAMPLE) for name, weight in model.named_parameters() if weight.requires_grad}
        return cls(trained, _frozen(model))


def receipts(learner: Learner, before: Before, state: State, *, reason: str) -> dict[str, Any]:
    """Compare the weights with what they were, and say what the run really did.

    Args:
        learner: What learned, at the end of the run.
        before: The weights at its beginning.
        state: Where the run ended.
        reason: Why it ended.

    Raises:
        TrainingError: No trained weight moved, or a frozen one did.
    """
    model, section = learner.model, learner.section
    moved = _moved(model, before)
    if not any(change > 0 for change in moved.values()):
        raise TrainingError(
            f"not one of {len(moved)} trained matrices moved in {state.step} steps",
            where="train.adapter",
            fix="raise train.optimizer learning_rate, and look at train/grad_norm in the run's signals",
        )
    if _frozen(model) != before.frozen:
        raise TrainingError(
            "frozen weights changed during training",
            where="train.adapter",
            fix="the adapter must freeze what it does not train: report this with your recipe",
        )
    total = sum(weight.numel() for weight in model.parameters())
    trained = sum(weight.numel() for weight in learner.weights)
    return {
        "weights": {
            "trained": trained,
            "total": total,
            "share": trained / total,
            "frozen_unmoved": True,
            "moved": moved,
        },
        "adapter": {"name": section.adapter.name, **section.adapter.acts(model)},
        "optimizer": {"name": section.optimizer.name, "groups": _groups(learner)},
        "noise": noise_proof(model, section.neftune_noise_alpha) if section.neftune_noise_alpha is not None else None,
        "precision": {
            "wished": section.precision,
            "used": learner.precision.name,
            "device": str(learner.precision.device),
        },
        "schedule": {
            "name": section.schedule.name,
            "warmup_steps": section.schedule.warmup(learner.plan.steps),
            "first": state.rates[0],
            "highest": state.rates[1],
            "last": state.rates[2],
        },
        "early_stopping": _early_stopping(learner),
        "ended": reason,
        "best_step": state.best[0] if state.best else state.step,
        "steps": {"made": state.step, "planned": learner.plan.steps, "per_epoch": learner.plan.epoch_steps},
        "rows_seen": state.rows,
        "tokens": state.tokens,
        "supervised_tokens": state.learned,
    }


def _groups(learner: Learner) -> list[dict[str, Any]]:
    return [
        {
            "matrices": len(group["params"]),
            "weights": sum(weight.numel() for weight in group["params"]),
            "weight_decay": group["weight_decay"],
            "pace": group["pace"],
        }
        for group in learner.optimizer.param_groups
    ]


def _early_stopping(learner: Learner) -> dict[str, Any] | None:
    if learner.section.stop is None or not len(learner.validation):
        return None
    return {
        "on": "validation/loss",
        "rows": len(learner.validation),
        "every_steps": learner.plan.eval_steps,
        **learner.section.stop.model_dump(),
    }


def _moved(model: nn.Module, before: Before) -> dict[str, float]:
    """Euclidean norm of each trained matrix's change, estimated from its sample for a large one."""
    moved: dict[str, float] = {}
    for name, weight in model.named_parameters():
        if weight.requires_grad:
            change = (_sample(weight, SAMPLE) - before.trained[name]).norm().item()
            moved[name] = change * (weight.numel() / before.trained[name].numel()) ** 0.5
    return moved


def _frozen(model: nn.Module) -> str:
    digest = hashlib.sha256()
    for name, weight in model.named_parameters():
        if not weight.requires_grad:
            digest.update(name.encode())
            digest.update(_sample(weight, FROZEN_SAMPLE).contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _sample(weight: torch.Tensor, most: int) -> torch.Tensor:
    flat = weight.detach().reshape(-1)
    stride = max(1, -(-flat.numel() // most))
    return flat[::stride].cpu().clone()
