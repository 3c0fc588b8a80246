"""Options of the task: what the loss of one row would be if one of them were another."""

from __future__ import annotations

from typing import Any

import torch

from tuneloop.tasks import Task
from tuneloop.training.loop import Learner


def effects(learner: Learner) -> dict[str, Any]:
    """See on the shortest training row that the task's options act on the loss of the model as it is now.

    Args:
        learner: At the end of the run; its model is left as it is.

    Returns:
        The loss of the row, and what it would be with each option changed; empty where the task has none to show.
    """
    others = learner.task.alternatives()
    if not others:
        return {}
    (batch,) = learner.together(learner.train, [int(learner.train.lengths.argmin())])

    def loss(task: Task) -> float:
        with torch.no_grad(), learner.precision.forward():
            return float(task.loss(learner.model, batch))

    was = learner.model.training
    learner.model.eval()
    found = {"loss": loss(learner.task), "loss_with": {name: loss(other) for name, other in others.items()}}
    learner.model.train(was)
    return found
