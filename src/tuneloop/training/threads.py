"""Threads: how many the tensor library works with, chosen from shapes and never from a timing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

ALONE = 2**31
"""Multiplications of a micro-batch's forward pass up to which threads lose by waiting what they gain by sharing."""


def threads_for(parameters: int, tokens: int) -> int:
    """Threads for a training on a CPU: as many as torch would take, or one where the products are small.

    Args:
        parameters: Weights of the model.
        tokens: Tokens of the largest micro-batch.

    Returns:
        ``OMP_NUM_THREADS`` where that is set.
    """
    if os.environ.get("OMP_NUM_THREADS"):
        return torch.get_num_threads()
    return 1 if parameters * tokens <= ALONE else torch.get_num_threads()


@contextmanager
def own_threads() -> Iterator[None]:
    """Give the caller its number of threads back afterwards."""
    before = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(before)
