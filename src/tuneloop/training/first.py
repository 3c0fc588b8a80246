"""The first rows of a training, for adapters that take their first values from them."""

from __future__ import annotations

import torch

from tuneloop.tasks import Batch, Task
from tuneloop.training.batches import order
from tuneloop.training.encoded import Encoded

MOST = 64
"""Batches of first rows, at most."""


def first_batches(rows: Encoded, task: Task, tokens: int, *, pad: int, seed: int, device: torch.device) -> list[Batch]:
    """Padded batches in the order of the first epoch, each with as many rows as give it enough supervised tokens.

    Args:
        rows: The training rows.
        task: Puts them side by side.
        tokens: Supervised tokens of a batch, at least; all rows make one batch where they have fewer.
        pad: Id that fills short rows.
        seed: Seed of the order.
        device: Where the tensors go.
    """
    found: list[Batch] = []
    waiting, count = [], 0
    for index in order(len(rows), seed=seed, epoch=0).tolist():
        example = rows[index]
        waiting.append(example)
        count += sum(example.learn)
        if count >= tokens:
            found.append(task.collate(waiting, pad).to(device))
            waiting, count = [], 0
        if len(found) == MOST:
            break
    return found or [task.collate(waiting, pad).to(device)]
