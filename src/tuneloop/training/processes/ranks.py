"""Ranks: the processes that share one training, numbered from 0, and the few things they say to each other.

Every process runs the same loop on its own rows of each step; what must be equal everywhere (figures, gradients,
decisions) goes through the methods of :class:`Ranks`, which every rank calls in the same order. Rank 0 alone writes.
A run of one process uses the same methods, which then cost nothing.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec

from tuneloop.errors import TrainingError

if TYPE_CHECKING:
    from torch import Tensor

MEETING = "TUNELOOP_MEETING"
"""Environment variable: the file through which processes that tuneloop started find each other."""
PATIENCE = timedelta(hours=12)
"""How long a rank waits for another one; whoever started them ends them all when one of them ends."""
BUCKET = 1 << 24
"""Numbers that are added up in one message (64 MiB in fp32)."""


class Lost(TrainingError):
    """Another process of this training has ended, so this one cannot go on."""

    def __init__(self, why: str) -> None:
        super().__init__(
            "another process of this training has ended",
            where=why,
            fix="run the same command again: it goes on from the last checkpoint",
        )


@dataclass(frozen=True)
class Ranks:
    """The processes of one training, as one of them sees them.

    Attributes:
        rank: Which one this is; 0 is the one that writes.
        count: How many there are.
        backend: What carries their messages; empty for a single process.
        proved: What was found to be so on the way, for the receipts.
    """

    rank: int = 0
    count: int = 1
    backend: str = ""
    proved: dict[str, bool | float] = field(default_factory=dict)

    @property
    def first(self) -> bool:
        """Whether this is the process that writes."""
        return self.rank == 0

    def gather(self, *figures: float) -> list[tuple[float, ...]]:
        """Every rank's figures, by rank.

        Raises:
            Lost: A process has ended.

        Example:
            >>> Ranks().gather(3, 4.5)
            [(3.0, 4.5)]
        """
        if self.count == 1:
            return [tuple(float(figure) for figure in figures)]
        import torch
        import torch.distributed as dist

        every = [torch.empty(len(figures), dtype=torch.float64) for _ in range(self.count)]
        with speaking():
            dist.all_gather(every, torch.tensor(figures, dtype=torch.float64))
        return [tuple(row.tolist()) for row in every]

    def total(self, *figures: float) -> tuple[float, ...]:
        """The sums of all ranks' figures, added up in the order of ranks, so that they are equal everywhere.

        Raises:
            Lost: A process has ended.
        """
        return tuple(map(sum, zip(*self.gather(*figures), strict=True)))

    def sums(self, figures: Mapping[str, float]) -> dict[str, float]:
        """The sums of all ranks' figures by name, in the order of ranks; a rank may lack some.

        Raises:
            Lost: A process has ended.

        Example:
            >>> Ranks().sums({"loss": 2.5})
            {'loss': 2.5}
        """
        summed: dict[str, float] = {}
        for told in self.collect(msgspec.msgpack.encode(figures)):
            for name, figure in msgspec.msgpack.decode(told, type=dict[str, float]).items():
                summed[name] = summed.get(name, 0.0) + figure
        return summed

    def most(self, figure: int | None) -> int | None:
        """The largest of all ranks' numbers; None where no rank has one.

        Raises:
            Lost: A process has ended.

        Example:
            >>> Ranks().most(15), Ranks().most(None)
            (15, None)
        """
        return int(max(each for (each,) in self.gather(figure or 0))) or None

    def add(self, tensors: Sequence[Tensor]) -> None:
        """Make tensors the sums of all ranks' tensors, in place; same device, shapes and order on every rank.

        Raises:
            Lost: A process has ended.
        """
        if self.count == 1:
            return
        import torch
        import torch.distributed as dist

        for bucket in _buckets(tensors):
            flat = torch.cat([tensor.reshape(-1) for tensor in bucket])
            with speaking():
                dist.all_reduce(flat)
            start = 0
            for tensor in bucket:
                tensor.copy_(flat[start : start + tensor.numel()].view_as(tensor))
                start += tensor.numel()

    def collect(self, data: bytes) -> list[bytes]:
        """Every rank's bytes, by rank.

        Raises:
            Lost: A process has ended.
        """
        if self.count == 1:
            return [data]
        import torch
        import torch.distributed as dist

        sizes = [int(size) for (size,) in self.gather(len(data))]
        mine = torch.zeros(max(sizes), dtype=torch.uint8)
        mine[: len(data)] = torch.frombuffer(bytearray(data or b" "), dtype=torch.uint8)[: len(data)]
        every = [torch.empty_like(mine) for _ in sizes]
        with speaking():
            dist.all_gather(every, mine)
        return [row[:size].numpy().tobytes() for row, size in zip(every, sizes, strict=True)]

    def tell(self, data: bytes) -> bytes:
        """Give what rank 0 says to every rank; the others' ``data`` is not looked at.

        Raises:
            Lost: A process has ended.
        """
        return self.collect(data if self.first else b"")[0]

    def agree(self, tensors: Sequence[Tensor]) -> bool:
        """Whether these tensors are equal, bit for bit, on all ranks.

        Raises:
            Lost: A process has ended.
        """
        return len(set(self.collect(_digest(tensors)))) == 1

    @contextmanager
    def first_goes_ahead(self) -> Iterator[None]:
        """Let rank 0 do what is inside before the others do it, so that they find what it has written.

        Raises:
            Lost: A process has ended.
        """
        if not self.first:
            self.gather(0)
        yield
        if self.first:
            self.gather(0)


def started() -> tuple[int, int] | None:
    """Rank and count as torchrun, or tuneloop itself, told this process; None if it was started alone."""
    if "RANK" not in os.environ or "WORLD_SIZE" not in os.environ:
        return None
    return int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])


@contextmanager
def joined() -> Iterator[Ranks]:
    """Be one of the processes that were started together, as the environment says, while inside.

    Raises:
        TrainingError: They are on several machines, or there are more of them than devices.
        Lost: They do not find each other.
    """
    import torch
    import torch.distributed as dist

    rank, count = started() or (0, 1)
    if int(os.environ.get("LOCAL_WORLD_SIZE", count)) != count:
        raise TrainingError(
            f"{count} processes on more than one machine",
            where="torchrun --nnodes",
            fix="start all processes on one machine: torchrun --standalone --nproc-per-node N",
        )
    cuda = torch.cuda.is_available()
    enough_devices(count)
    if cuda:
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", rank)))
    meeting = os.environ.get(MEETING)
    backend = "cpu:gloo,cuda:nccl" if cuda else "gloo"
    with speaking():
        where = f"file://{meeting}" if meeting else "env://"
        dist.init_process_group(backend, init_method=where, rank=rank, world_size=count, timeout=PATIENCE)
    try:
        yield Ranks(rank, count, "nccl" if cuda else "gloo")
    finally:
        dist.destroy_process_group()


def enough_devices(count: int) -> None:
    """Make sure that every process gets a device of its own.

    Raises:
        TrainingError: There are fewer CUDA devices, or the one device is Apple's.
    """
    import torch

    if torch.cuda.is_available() and count > torch.cuda.device_count():
        raise TrainingError(
            f"{count} processes need {count} CUDA devices, this machine shows {torch.cuda.device_count()}",
            where="train.devices",
            fix=f"write devices: {torch.cuda.device_count()} (CUDA_VISIBLE_DEVICES may hide some)",
        )
    if count > 1 and torch.backends.mps.is_available():
        raise TrainingError(
            f"{count} processes cannot share the one GPU of a Mac", where="train.devices", fix="write devices: 1"
        )


@contextmanager
def speaking() -> Iterator[None]:
    """Say in words that a process is gone, where a message to it fails."""
    try:
        yield
    except RuntimeError as error:  # what gloo and NCCL raise when a peer closes the connection
        raise Lost(str(error).splitlines()[0][:200]) from error


def _buckets(tensors: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    bucket: list[Tensor] = []
    size = 0
    for tensor in tensors:
        if bucket and size + tensor.numel() > BUCKET:
            yield bucket
            bucket, size = [], 0
        bucket.append(tensor)
        size += tensor.numel()
    if bucket:
        yield bucket


def _digest(tensors: Sequence[Tensor]) -> bytes:
    import torch

    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.digest()
