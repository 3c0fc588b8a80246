"""Batches: which rows make which step, and how a step's rows go through the model.

The order of rows is a pure function of seed and epoch, so a run can go on at any row without having
seen the ones before. Within one step the order of rows does not change the result (up to rounding),
so the rows of a step are packed into streams of equal length; where a model cannot read streams, they are sorted by
length and cut where that saves the most padding.
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
STREAM = {"cpu": 2048, "cuda": 32768}
"""Tokens of the longest stream: enough to keep the device busy, few enough for its memory."""


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


def cut(lengths: Sequence[int], *, most: int, launch: int, tokens: int | None = None) -> list[list[int]]:
    """Split rows into micro-batches so that padding plus launches cost the least.

    Args:
        lengths: Tokens of each row.
        most: Rows of the largest micro-batch.
        launch: Cost of one pass besides its tokens, in tokens.
        tokens: Tokens of the largest micro-batch, padding counted, unless a single row is longer.

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
        cost[j], start[j] = min(
            (cost[i] + launch + (j - i) * lengths[rows[i]], i)
            for i in range(first, j)
            if tokens is None or i == j - 1 or (j - i) * lengths[rows[i]] <= tokens
        )
    parts: list[list[int]] = []
    end = len(rows)
    while end:
        parts.append(rows[start[end] : end])
        end = start[end]
    return parts[::-1]


def batches(
    rows: Encoded,
    indices: Sequence[int],
    task: Task,
    *,
    pad: int,
    most: int,
    device: torch.device,
    packing: bool,
    tokens: int | None = None,
) -> Iterator[Batch]:
    """The micro-batches of some rows, on the device: streams of whole rows, or padded rows, the longest first.

    Args:
        rows: The split.
        indices: Which of its examples.
        task: Puts examples side by side.
        pad: Id that fills short rows.
        most: Rows of the largest micro-batch.
        device: Where the tensors go.
        packing: Whether rows stand one after the other in streams.
        tokens: Tokens of the largest micro-batch of several rows; None where the device alone sets a bound.
    """
    for part in layout(rows, indices, most=most, tokens=tokens, device=device, packing=packing):
        examples = [rows[index] for index in part]
        batch = task.pack(examples) if packing else task.collate(examples, pad)
        yield dataclasses.replace(_valued(batch, rows, part), rows=tuple(part)).to(device)


def layout(
    rows: Encoded, indices: Sequence[int], *, most: int, tokens: int | None, device: torch.device, packing: bool
) -> list[list[int]]:
    """Which rows go through the model together: the examples of each micro-batch of :func:`batches`.

    Args:
        rows: The split.
        indices: Which of its examples.
        most: Rows of the largest micro-batch.
        tokens: Tokens of the largest micro-batch of several rows; None where the device alone sets a bound.
        device: Where they go.
        packing: Whether rows stand one after the other in streams.
    """
    lengths = [rows.length(index) for index in indices]
    kind = device.type if device.type in LAUNCH else "cuda"
    if packing:
        parts = streams(lengths, most=most, tokens=min(tokens or STREAM[kind], STREAM[kind]))
    else:
        parts = cut(lengths, most=most, launch=LAUNCH[kind], tokens=tokens)
    return [[indices[place] for place in part] for part in parts]


def _valued(batch: Batch, rows: Encoded, indices: Sequence[int]) -> Batch:
    """The batch with what was worked out for its rows before training."""
    if rows.values is None:
        return batch
    return dataclasses.replace(batch, values=torch.from_numpy(rows.values[indices]))


def streams(lengths: Sequence[int], *, most: int, tokens: int) -> list[list[int]]:
    """Put rows into streams of about equal length, in as few as a stream's size allows.

    Args:
        lengths: Tokens of each row.
        most: Rows of the largest stream.
        tokens: Tokens of the largest stream, unless a single row is longer.

    Returns:
        Indices into ``lengths``; every index once.

    Source:
        Longest row first, each to the shortest stream (Graham, Bounds on Multiprocessing Timing Anomalies, 1969).

    Example:
        >>> streams([10, 100, 12, 98], most=4, tokens=128)
        [[1, 0], [3, 2]]
    """
    order_ = sorted(range(len(lengths)), key=lambda row: (-lengths[row], row))
    enough = max(-(-sum(lengths) // tokens), -(-len(lengths) // most))
    count = min(enough, len(lengths))  # a row longer than a stream is a stream by itself
    while True:
        parts: list[list[int]] = [[] for _ in range(count)]
        filled = [0] * count
        for row in order_:
            open_ = [part for part in range(count) if len(parts[part]) < most]
            shortest = min(open_, key=lambda part: (filled[part], part))
            parts[shortest].append(row)
            filled[shortest] += lengths[row]
        if all(full <= tokens or len(part) == 1 for full, part in zip(filled, parts, strict=True)):
            return parts
        count += 1
