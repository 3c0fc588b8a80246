"""Proof that the processes of a run were one run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from tuneloop.errors import TrainingError

if TYPE_CHECKING:
    from tuneloop.training.loop import Learner
    from tuneloop.training.state import State


def processes_proof(learner: Learner, state: State) -> dict[str, Any]:
    """Compare the weights of all processes bit for bit, and say how they shared the run. All of them call it.

    Args:
        learner: What learned, with its whole model.
        state: Where the run ended.

    Raises:
        TrainingError: The weights differ.
        Lost: A process has ended.
    """
    ranks = learner.ranks
    weights = [weight.detach() for weight in learner.model.parameters() if weight.requires_grad]
    if not ranks.agree(weights):
        raise TrainingError(
            "the processes ended with different weights",
            where=f"{ranks.count} processes over {ranks.backend}",
            fix="look for a device that computes wrongly; devices: 1 trains without the others",
        )
    return {
        "count": ranks.count,
        "from_step": [{"step": step, "processes": count} for step, count in state.processes],
        "parallel": learner.section.parallel.spelled() if ranks.backend else None,
        "backend": ranks.backend or None,
        "threads": torch.get_num_threads(),
        "rows": state.shares,
        "weights_equal": True,
        **ranks.proved,
    }
