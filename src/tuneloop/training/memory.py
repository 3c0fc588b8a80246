"""Memory: what a device still has, what a forward pass keeps, and how an allocation that failed is told apart."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import torch
from torch import Tensor, nn

from tuneloop.models.layers import linear_layers, sizes

if TYPE_CHECKING:
    from tuneloop.tasks import Batch
    from tuneloop.training.loop import Learner

CGROUP = Path("/sys/fs/cgroup")
"""Where a container's limit of memory is written."""
FAILED = ("can't allocate memory", "not enough memory", "out of memory", "ALLOC_FAILED")
"""What allocations that fail with a plain RuntimeError say: on a CPU, on Apple's GPU, in cuBLAS."""


def free_bytes(device: torch.device) -> int:
    """Bytes that this process can still take on a device; on a CPU without swap, within the container's limit."""
    if device.type == "cuda":
        unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(device)[0]) + unused
    free: int = psutil.virtual_memory().available
    limit, used = _number("memory.max"), _number("memory.current")
    return free if limit is None or used is None else min(free, limit - used + _cached())


def ran_out(error: BaseException) -> bool:
    """Whether an error says that memory could not be had.

    Example:
        >>> ran_out(RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"))
        True
        >>> ran_out(RuntimeError("shapes do not fit"))
        False
    """
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in FAILED)


def release(device: torch.device) -> None:
    """Give back what is no longer needed, also to the device."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()


def kept(learner: Learner, batch: Batch) -> int:
    """Bytes that a forward pass over a batch keeps for its backward pass, weights not counted, in the mode it is in.

    Generators are left as they were.
    """
    seen: dict[int, int] = {}
    weights = {weight.untyped_storage().data_ptr() for weight in learner.model.parameters()}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            seen[storage.data_ptr()] = storage.nbytes()
        return tensor

    devices = [learner.precision.device] if learner.precision.device.type == "cuda" else []
    with torch.random.fork_rng(devices), torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        with learner.precision.forward():
            loss = learner.loss(learner.model, batch)
        del loss
    return sum(seen.values())


def at_most_kept(model: nn.Module, tokens: int) -> int:
    """A bound, far on the safe side, for the bytes that a forward pass keeps: from the shapes of the linear layers."""
    widths = [sum(sizes(layer)) for layer in linear_layers(model).values()]
    return 4 * tokens * 3 * sum(widths)


def memory_mb(device: torch.device) -> float:
    """Memory of this process: the most that the device held, or what is resident on a CPU, in 10^6 bytes."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e6
    resident: int = psutil.Process().memory_info().rss
    return resident / 1e6


def _number(name: str) -> int | None:
    try:
        return int((CGROUP / name).read_text(encoding="ascii"))
    except (OSError, ValueError):  # no container, or one without a limit
        return None


def _cached() -> int:
    """Bytes of files that the container keeps in memory and can drop at any time."""
    try:
        lines = (CGROUP / "memory.stat").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("inactive_file "))
