"""Randomness of a run: its own generators, seeded once, saved with every checkpoint, given back at the end."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch


@contextmanager
def own_randomness(seed: int) -> Iterator[None]:
    """Seed Python's, NumPy's and torch's generators for the time inside; the caller's come back after.

    Args:
        seed: Seed of the run.
    """
    before = tensors()
    plain = (random.getstate(), np.random.get_state())
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)
    try:
        yield
    finally:
        random.setstate(plain[0])
        np.random.set_state(plain[1])
        _set_torch(before)


def tensors() -> dict[str, torch.Tensor]:
    """The state of torch's generators, by device."""
    states = {"torch/cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        states |= {f"torch/cuda:{index}": state for index, state in enumerate(torch.cuda.get_rng_state_all())}
    return states


def values() -> dict[str, Any]:
    """The state of Python's and NumPy's generators as plain values."""
    version, words, gauss = random.getstate()
    name, keys, position, has_gauss, cached = np.random.get_state()
    return {
        "python": [version, list(words), gauss],
        "numpy": [name, [int(key) for key in keys], int(position), int(has_gauss), float(cached)],
    }


def restore(plain: dict[str, Any], states: dict[str, torch.Tensor]) -> None:
    """Set all generators to what :func:`values` and :func:`tensors` gave."""
    version, words, gauss = plain["python"]
    random.setstate((version, tuple(words), gauss))
    name, keys, position, has_gauss, cached = plain["numpy"]
    np.random.set_state((name, np.array(keys, np.uint32), position, has_gauss, cached))
    _set_torch(states)


def _set_torch(states: dict[str, torch.Tensor]) -> None:
    for name, state in states.items():
        device = torch.device(name.removeprefix("torch/"))
        if device.type == "cpu":
            torch.set_rng_state(state)
        elif torch.cuda.is_available():
            torch.cuda.set_rng_state(state, device)
