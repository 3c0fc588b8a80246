"""Passes: the losses of a few rows, measured between steps without a trace."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from tuneloop.models.logits import token_losses
from tuneloop.tasks import Tokens, padded

if TYPE_CHECKING:
    from tuneloop.training.loop import Learner

AT_ONCE = 8
"""Rows that go through the model together."""


def row_losses(learner: Learner, rows: Sequence[Tokens]) -> tuple[np.ndarray, np.ndarray]:
    """Mean loss of each of some rows in nats per learned token, without dropout, and how many of these it has.

    Args:
        learner: Its model, which predicts tokens, is measured by this process alone.
        rows: At least one, each with a learned token behind its first one.

    Returns:
        Losses and numbers of tokens, both ``(rows,)``, fp64.
    """
    order = sorted(range(len(rows)), key=lambda row: -len(rows[row].ids))
    counts = np.array([sum(map(bool, row.learn[1:])) for row in rows], np.float64)
    found: list[torch.Tensor] = []
    was = learner.model.training
    learner.model.eval()
    with torch.no_grad(), learner.precision.forward():
        for start in range(0, len(order), AT_ONCE):
            part = [rows[row] for row in order[start : start + AT_ONCE]]
            batch = padded(part, learner.pad).to(learner.precision.device)
            found.append(token_losses(learner.model, batch.ids, batch.labels))
    learner.model.train(was)
    losses = torch.cat(found).double().cpu().numpy()
    ends = counts[order].cumsum().astype(np.int64)
    sums = np.add.reduceat(losses, ends - counts[order].astype(np.int64))
    means = np.empty(len(rows))
    means[order] = sums / counts[order]
    return means, counts
