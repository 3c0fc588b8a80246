"""The course of a run: rates, steps, rows and what was done to the gradient, as counted on the way."""

from __future__ import annotations

from typing import Any

from tuneloop.training.loop import Learner
from tuneloop.training.state import State


def groups(learner: Learner) -> list[dict[str, Any]]:
    """The optimizer's groups, read from the optimizer: what learns how fast, and what is pulled to zero."""
    return [
        {
            "kind": group["kind"],
            "by": group.get("by", learner.section.optimizer.name),
            "matrices": len(group["params"]),
            "weights": sum(weight.numel() for weight in group["params"]),
            "weight_decay": group["weight_decay"],
            "pace": group["pace"],
        }
        for group in learner.optimizer.param_groups
    ]


def schedule(learner: Learner, state: State) -> dict[str, Any]:
    """The rates that were really used, and the steps at which the rate was highest, counted from 1."""
    schedule = learner.section.schedule
    return {
        "name": schedule.name,
        "warmup_steps": schedule.warmup(learner.plan.steps),
        "full": learner.section.learning_rate,
        "first": state.rates[0],
        "highest": state.rates[1],
        "last": state.rates[2],
        "highest_from": state.peak[0],
        "highest_to": state.peak[1],
    }


def batch_scaling(learner: Learner) -> dict[str, Any] | None:
    """How the batch size changed the rate; None where it did not."""
    scaling = learner.section.batch.learning_rate_scaling
    if scaling is None:
        return None
    written = learner.section.optimizer.learning_rate
    return {**scaling.model_dump(), "written": written, "times": learner.section.learning_rate / written}


def clipping(learner: Learner, state: State) -> dict[str, Any] | None:
    """How often the gradient was longer than allowed; None where any length is."""
    longest = learner.section.max_grad_norm
    if longest is None:
        return None
    return {"max_grad_norm": longest, "steps": state.clipped, "share": state.clipped / max(1, state.step)}


def early_stopping(learner: Learner) -> dict[str, Any] | None:
    """What early stopping looks at; None where it cannot act or is not wanted."""
    if learner.section.stop is None or not len(learner.validation):
        return None
    return {
        "on": "validation/loss",
        "rows": len(learner.validation),
        "every_steps": learner.plan.eval_steps,
        **learner.section.stop.model_dump(),
    }


def steps(learner: Learner, state: State) -> dict[str, Any]:
    """Steps made and planned, and of how many rows and micro-batches they were."""
    return {
        "made": state.step,
        "planned": learner.plan.steps,
        "per_epoch": learner.plan.epoch_steps,
        "rows_fewest": state.sizes[0],
        "rows_most": state.sizes[1],
        "micro_batches": state.micro,
        "micro_batches_fewest": state.micros[0],
        "micro_batches_most": state.micros[1],
    }
