"""Shards: tensors of which each rank holds a part, made whole, and parts taken of whole ones."""

from __future__ import annotations

from typing import Any

from torch import Tensor


def is_shard(tensor: Tensor) -> bool:
    """Whether this rank holds only a part of a tensor."""
    return hasattr(tensor, "full_tensor")


def whole(tensor: Tensor) -> Tensor:
    """A tensor with all its numbers, without gradient; every rank has to ask for it."""
    sharded: Any = tensor.detach()
    full: Tensor = sharded.full_tensor() if is_shard(sharded) else sharded
    return full


def gathered(tensor: Tensor, *, keep: bool) -> Tensor:
    """A whole tensor to be written by the rank that keeps it; of a sharded one a copy in the computer's memory.

    Args:
        tensor: Every rank has to ask for it.
        keep: Whether this is the rank that writes; the others get nothing of it.
    """
    full = whole(tensor)
    if not keep:
        return full.new_empty(0)
    return (full.cpu() if is_shard(tensor) else full).contiguous()


def own(tensor: Tensor) -> Tensor:
    """The numbers that this rank holds of a tensor."""
    sharded: Any = tensor
    part: Tensor = sharded.to_local() if is_shard(tensor) else tensor
    return part


def part_like(full: Tensor, like: Tensor) -> Tensor:
    """Of a whole tensor, what this rank has to hold where ``like`` is sharded; else the tensor itself.

    FSDP cuts the first dimension as :func:`torch.chunk` does: all parts are as long as the first, but for the last.
    """
    if not is_shard(like):
        return full
    from torch.distributed.tensor import DTensor

    sharded: Any = like
    mesh, local = sharded.device_mesh, sharded.to_local()
    longest = -(-full.shape[0] // mesh.size())
    part = full[mesh.get_local_rank() * longest :][:longest].to(local.device)
    return DTensor.from_local(part, mesh, sharded.placements, run_check=False, shape=like.shape, stride=like.stride())
