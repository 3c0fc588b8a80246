"""Machine: how a run uses the machine it is on. None of it changes what is learned, beyond rounding.

It is decided once, before the first step, from shapes and from the memory that is free, and written beside the run's
checkpoints: a run that goes on uses the machine as it began to, so it makes the same steps to the last bit.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import torch

from tuneloop.errors import TrainingError
from tuneloop.models.quantized import weights
from tuneloop.models.recompute import keep, recompute, recomputed
from tuneloop.store.seal import replace as write
from tuneloop.training.batches import STREAM
from tuneloop.training.disk import refuse_full_disk
from tuneloop.training.memory import at_most_kept, free_bytes, kept, ran_out, release
from tuneloop.training.need import Need
from tuneloop.training.threads import threads_for

if TYPE_CHECKING:
    from tuneloop.training.loop import Learner
    from tuneloop.training.state import State

Asked = tuple[int | None, bool, bool | str, int]
FILE = "machine.json"
SHARE = 0.75
"""Of the free memory, what a training may be expected to take: allocators keep more than is asked of them."""
EASY = 0.5
"""Of the free memory: what needs less by the safest bound is not looked at closer."""


class Machine(msgspec.Struct, frozen=True):
    """How a run uses its machine.

    Attributes:
        rows: Rows that go through the model at once, at most.
        recompute: Whether blocks compute again in the backward pass.
        threads: Threads of the tensor library.
        free: Bytes that were free before the first step.
        needs: Bytes that a step with the longest rows was expected to take besides the model; None where even a safe
            bound left most of the memory free.
        kept: Bytes that the pass over the shortest row keeps for its backward pass, computing blocks again and not;
            None where they are not computed again.
    """

    rows: int
    recompute: bool
    threads: int
    free: int
    needs: int | None = None
    kept: tuple[int, int] | None = None
    asked: Asked = (None, False, "auto", 1)


def settle(learner: Learner, folder: Path | None = None) -> Learner:
    """Decide how a run uses its machine, or take what an earlier attempt decided.

    Args:
        learner: Ready for its first step, but not yet shared among processes.
        folder: The run's work folder; nothing is written where there is none.

    Returns:
        The learner that does so.

    Raises:
        TrainingError: The recipe asks for gradient checkpointing, and the model cannot do it.
        StoreError: The disk has no room for the checkpoints.
    """
    path = folder / FILE if folder else None
    machine: Machine | None = None
    if learner.ranks.first:
        if folder:
            refuse_full_disk(learner, folder, Need(learner).fixed)
        machine = _read(path, _asked(learner)) or _decided(learner)
        if path:
            write(path, msgspec.json.encode(machine))
    machine = msgspec.json.decode(learner.ranks.tell(msgspec.json.encode(machine)), type=Machine)
    if machine.threads != torch.get_num_threads():
        torch.set_num_threads(machine.threads)
        learner.progress.note(f"the run goes on with the {machine.threads} threads that it began with")
    if machine.recompute and not recomputed(learner.model):
        recompute(learner.model)
    return replace(learner, machine=machine, plan=replace(learner.plan, micro=machine.rows))


def goes_on(learner: Learner, state: State) -> Learner:
    """The learner with what a run has learned about its memory before it was stopped."""
    if state.room.recompute and not recomputed(learner.model):
        recompute(learner.model)
    return replace(learner, room=state.room)


def _asked(learner: Learner) -> Asked:
    batch = learner.section.batch
    wishes = batch.per_device_train_batch_size, batch.auto_find_batch_size, batch.gradient_checkpointing
    return *wishes, learner.ranks.count


def _read(path: Path | None, asked: Asked) -> Machine | None:
    """What an earlier attempt decided, if it was asked for the same."""
    if path is None or not path.exists():
        return None
    try:
        machine = msgspec.json.decode(path.read_bytes(), type=Machine)
    except (OSError, ValueError):
        return None
    return machine if machine.asked == asked else None


def _decided(learner: Learner) -> Machine:
    batch, plan = learner.section.batch, learner.plan
    device = learner.precision.device
    tokens = min(STREAM.get(device.type, STREAM["cuda"]), int(learner.train.lengths.mean() * plan.micro))
    torch.set_num_threads(threads_for(weights(learner.model), tokens))
    free = free_bytes(device) // (learner.ranks.count if device.type == "cpu" else 1)
    if batch.gradient_checkpointing is True:
        recompute(learner.model)
    start = plan.micro
    if batch.auto_find_batch_size:
        start = batch.per_device_train_batch_size or min(batch.size, len(learner.train))
    need = Need(learner)
    rows, needs = start, None
    if batch.auto_find_batch_size or need.fixed + at_most_kept(learner.model, need.tokens(start)) > EASY * free:
        rows, needs = _fitting(learner, need, start, SHARE * free)
    if batch.auto_find_batch_size:
        rows = _tried(learner, need, rows)
    again = recomputed(learner.model) > 0
    proved = _proved(learner) if again else None
    return Machine(rows, again, torch.get_num_threads(), free, needs, proved, _asked(learner))


def _fitting(learner: Learner, need: Need, start: int, room: float) -> tuple[int, int]:
    """Rows at once that are expected to fit, and the bytes that they are expected to need."""
    batch = learner.section.batch
    while True:
        rows = start
        while batch.auto_find_batch_size and rows > 1 and need.of(rows) > room:
            rows //= 2
        needs = need.of(rows)
        if needs <= room:
            return rows, needs
        if batch.gradient_checkpointing != "auto" or recomputed(learner.model) or not _can_recompute(learner):
            break
        recompute(learner.model)
        need = Need(learner)
        learner.progress.note(
            f"about {needs / 1e6:,.0f} MB are needed and {room / 1e6:,.0f} are free, so blocks are computed again in "
            "the backward pass (train.batch.gradient_checkpointing)"
        )
    learner.progress.note(
        f"a step with the longest rows takes about {needs / 1e6:,.0f} MB, and {room / 1e6:,.0f} are free: "
        "lower train.max_length or train.batch.per_device_train_batch_size if memory runs out"
    )
    return rows, needs


def _can_recompute(learner: Learner) -> bool:
    try:
        recompute(learner.model)
    except TrainingError:
        return False
    keep(learner.model)
    return True


def _tried(learner: Learner, need: Need, rows: int) -> int:
    """Rows at once with which a pass over the longest rows, forward and backward, really fits."""
    while rows > 1:
        try:
            need.try_(rows)
        except (RuntimeError, MemoryError) as error:
            if not ran_out(error):
                raise
        else:
            return rows
        finally:
            learner.optimizer.zero_grad(set_to_none=True)
            release(learner.precision.device)
        rows //= 2
    return rows


def _proved(learner: Learner) -> tuple[int, int]:
    """Bytes kept by a pass over the shortest row with blocks computed again, and without.

    Raises:
        TrainingError: It saves nothing.
    """
    (batch,) = learner.together(learner.train, [int(learner.train.lengths.argmin())])
    was = learner.model.training
    learner.model.train()
    fewer = kept(learner, batch)
    keep(learner.model)
    usual = kept(learner, batch)
    recompute(learner.model)
    learner.model.train(was)
    if fewer >= usual:
        raise TrainingError(
            f"{type(learner.model).__name__} keeps as much for the backward pass as without gradient checkpointing",
            where="train.batch.gradient_checkpointing",
            fix="write gradient_checkpointing: false",
        )
    return fewer, usual
