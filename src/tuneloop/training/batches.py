"""Batches: which rows make which step, and how a step's rows go through the model.

The order of rows is a pure function of seed and epoch, so a run can go on at any row without having
seen the ones before. Within one step the order of rows does not change the result (up to rounding),
so the rows of a step are sorted by length and cut where that saves the most padding.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Sequence

import numpy as np
import torch

from tuneloop.tasks import Batch, Task
from tuneloop.training.encoded import Encoded

LAUNCH = {"cpu": 64, "cuda": 4096}
"""What one pass through the model costs besides its tokens, in tokens: kernel launches on a GPU are dear."""


@functools.lru_cache(maxsize=2)
def order(count: int, *, seed: int, epoch: int) -> np.ndarray:
    """The order of rows in one epoch, ``(count,)``, not to be written to.

    Example:
        >>> sorted(order(5, seed=1, epoch=0).tolist())
        [0, 1, 2, 3, 4]
        >>> order(5, seed=1, epoch=0).tolist() == order(5, seed=1, epoch=1).tolist()
        False
    """
    rows = np.random.default_rng([seed, epoch]).permutation(count)
    rows.flags.writeable = False
    return rows


def cut(lengths: Sequence[int], *, most: int, launch: int) -> list[list[int]]:
    """Split rows into micro-batches so that padding plus launches cost the least.

    Args:
        lengths: Tokens of each row.
        most: Rows of the largest micro-batch.
        launch: Cost of one pass besides its tokens, in tokens.

    Returns:
        Indices into ``lengths``, longest rows first; every index once.

    Source:
        Shortest path over the sorted rows: ``cost(j) = min over i of cost(i) + launch + (j - i) * length(i)``.

    Example:
        >>> cut([10, 100, 12, 98], most=4, launch=16)
        [[1, 3], [2, 0]]
        >>> cut([10, 100, 12, 98], most=4, launch=1000)
        [[1, 3, 2, 0]]
    """
    rows = sorted(range(len(lengths)), key=lambda row: (-lengths[row], row))
    cost = [0] + [0] * len(rows)
    start = [0] * (len(rows) + 1)
    for j in range(1, len(rows) + 1):
        first = max(0, j - most)
        cost[j], start[j] = min((cost[i] + launch + (j - i) * lengths[rows[i]], i) for i in range(first, j))
    parts: list[list[int]] = []
    end = len(rows)
    while end:
        parts.append(rows[start[end] : end])
        end = start[end]
    return parts[::-1]


def batches(
    rows: Encoded, indices: Sequence[int], task: Task, *, pad: int, most: int, device: torch.device
) -> Iterator[Batch]:
    """The micro-batches of some rows, on the device, longest rows first.

    Args:
        rows: The split.
        indices: Which of its examples.
        task: Puts examples side by side.
        pad: Id that fills short rows.
        most: Rows of the largest micro-batch.
        device: Where the tensors go.
    """
    examples = [rows[index] for index in indices]
    lengths = [len(example.ids) for example in examples]
    for part in cut(lengths, most=most, launch=LAUNCH.get(device.type, LAUNCH["cuda"])):
        yield _to(task.collate([examples[row] for row in part], pad), device)


def _to(batch: Batch, device: torch.device) -> Batch:
    if device.type == "cpu":
        return batch
    ids, mask, labels = (
        tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)
        for tensor in (batch.ids, batch.mask, batch.labels)
    )
    return dataclasses.replace(batch, ids=ids, mask=mask, labels=labels)
