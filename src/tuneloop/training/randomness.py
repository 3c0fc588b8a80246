"""Randomness of a run: its own generators, seeded once, saved with every checkpoint, given back at the end."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import numpy as np
import torch


@contextmanager
def own_randomness(seed: int) -> Iterator[None]:
    """Seed Python's, NumPy's and torch's generators for the time inside; the caller's come back after.

    Args:
        seed: Seed of the run.
    """
    before = Generators.now()
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)
    try:
        yield
    finally:
        before.restore()


def part_ways(seed: int, rank: int) -> None:
    """Give each process of one run its own random numbers; rank 0 keeps those of a run alone.

    Args:
        seed: Seed of the run.
        rank: Which of its processes this is.
    """
    if rank:
        own = int(np.random.SeedSequence([seed, rank]).generate_state(1)[0])
        random.seed(own)
        np.random.seed(own)
        torch.manual_seed(own)


class Generators(msgspec.Struct):
    """The state of all generators of one process.

    Attributes:
        python: What ``random.getstate`` gives.
        numpy: What ``numpy.random.get_state`` gives.
        torch: The bytes of torch's generators: of the processor, and of the device in use.
    """

    python: tuple[int, list[int], float | None]
    numpy: tuple[str, list[int], int, int, float]
    torch: dict[str, bytes]

    @classmethod
    def now(cls) -> Generators:
        """Take the state they are in."""
        version, words, gauss = random.getstate()
        name, keys, position, has_gauss, cached = np.random.get_state()
        own = {device: bytes(state.numpy().tobytes()) for device, state in _torch_states().items()}
        plain = [int(key) for key in keys]
        return cls((version, list(words), gauss), (name, plain, int(position), int(has_gauss), float(cached)), own)

    def restore(self) -> None:
        """Put them into this state."""
        version, words, gauss = self.python
        random.setstate((version, tuple(words), gauss))
        name, keys, position, has_gauss, cached = self.numpy
        np.random.set_state((name, np.array(keys, np.uint32), position, has_gauss, cached))
        _set_torch({name: torch.frombuffer(bytearray(state), dtype=torch.uint8) for name, state in self.torch.items()})


def _torch_states() -> dict[str, torch.Tensor]:
    states = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        states["cuda"] = torch.cuda.get_rng_state()
    return states


def _set_torch(states: dict[str, torch.Tensor]) -> None:
    torch.set_rng_state(states["cpu"])
    if "cuda" in states and torch.cuda.is_available():
        torch.cuda.set_rng_state(states["cuda"])
