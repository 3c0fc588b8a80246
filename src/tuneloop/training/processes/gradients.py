"""Gradients of one step, added up over processes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from tuneloop.errors import TrainingError
from tuneloop.training.processes.ranks import Ranks
from tuneloop.training.processes.shards import is_shard

EQUAL = "gradients_equal"
"""What the receipts call the proof that all processes step with the same gradient."""


def add_up(ranks: Ranks, weights: Sequence[nn.Parameter]) -> None:
    """Make the gradients in the weights the sums over all processes.

    A weight that has a gradient on some process gets one on all; one that has none anywhere stays without. Sharded
    weights are left alone: their gradients were added up on the way back. In the first step the sums are compared.

    Args:
        ranks: The processes.
        weights: The weights that learn, in the same order on every process.

    Raises:
        TrainingError: The sums differ between processes.
        Lost: A process has ended.
    """
    if ranks.count == 1:
        return
    held = [weight for weight in weights if not is_shard(weight)]
    there = ranks.total(*(weight.grad is not None for weight in held)) if held else ()
    gradients = []
    for weight, count in zip(held, there, strict=True):
        if count:
            weight.grad = torch.zeros_like(weight) if weight.grad is None else weight.grad
            gradients.append(weight.grad)
    ranks.add(gradients)
    if gradients and EQUAL not in ranks.proved:
        ranks.proved[EQUAL] = ranks.agree(gradients)
        if not ranks.proved[EQUAL]:
            raise TrainingError(
                "the processes do not have the same gradient after adding theirs up",
                where=f"{ranks.count} processes over {ranks.backend}",
                fix="look for a device that computes wrongly; devices: 1 trains without the others",
            )
