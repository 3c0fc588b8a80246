"""Memory: how the run used its machine, and what it kept for the backward pass."""

from __future__ import annotations

from typing import Any

import torch

from tuneloop.models.recompute import recomputed
from tuneloop.training.loop import Learner
from tuneloop.training.state import State


def memory(learner: Learner, state: State) -> dict[str, Any]:
    """What went through the model at once, and whether that had to be less than was planned."""
    machine = learner.machine
    return {
        "rows_at_once": learner.plan.micro,
        "tokens_at_once": state.room.tokens,
        "ran_out": state.room.ran_out,
        "free_bytes": machine.free if machine else None,
        "expected_bytes": machine.needs if machine else None,
        "gradient_checkpointing": _checkpointing(learner),
        "threads": torch.get_num_threads(),
    }


def _checkpointing(learner: Learner) -> dict[str, Any] | None:
    """How many modules compute again in the backward pass, and what that saves on the shortest row."""
    modules = recomputed(learner.model)
    if not modules:
        return None
    fewer, usual = learner.machine.kept if learner.machine and learner.machine.kept else (None, None)
    return {"modules": modules, "kept_bytes": fewer, "kept_bytes_without": usual}
