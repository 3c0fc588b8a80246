"""Backing off: where memory runs out, the work of a step is done again from its start, in smaller micro-batches.

A step's gradient is a sum over its rows, so it does not change with how they are cut. Nothing is counted twice: the
gradients are cleared and the random generators put back before the second attempt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from tuneloop.errors import TrainingError
from tuneloop.models.recompute import recompute, recomputed
from tuneloop.tasks import Batch
from tuneloop.training.encoded import Encoded
from tuneloop.training.memory import ran_out, release
from tuneloop.training.processes.pace import in_step
from tuneloop.training.randomness import Generators

if TYPE_CHECKING:
    from tuneloop.training.loop import Learner

T = TypeVar("T")
Counted = list[tuple[Batch, int]]


def fitting(
    learner: Learner,
    rows: Encoded,
    indices: list[int],
    parts: Counted,
    work: Callable[[Iterable[tuple[Batch, int]]], T],
) -> T:
    """Do work on the micro-batches of some rows; where memory runs out, from the start again with smaller ones.

    Args:
        learner: What learns; its gradients are cleared before another attempt.
        rows: The split.
        indices: Which of its rows.
        parts: Their micro-batches with what each counts, as :func:`in_step` gave them.
        work: Goes through the micro-batches once, and asks other processes nothing.

    Raises:
        TrainingError: A single row does not fit.
    """
    before = Generators.now()
    while True:
        at = 0

        def each(parts: Counted = parts) -> Iterator[tuple[Batch, int]]:
            nonlocal at
            for at, counted in enumerate(parts):  # noqa: B007 - read when it fails
                yield counted

        try:
            return work(each())
        except (RuntimeError, MemoryError) as error:
            if not ran_out(error):
                raise
            said = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        gauge = parts[at][0].gauge
        cut = zip(learner.layout(rows, indices), learner.batches(rows, indices), strict=True)
        failed = [part for part, batch in cut if batch.supervised][at]
        parts.clear()
        learner.optimizer.zero_grad(set_to_none=True)
        release(learner.precision.device)
        before.restore()
        _back_off(learner, rows, failed, said)
        smaller = (replace(batch, gauge=gauge) for batch in learner.batches(rows, indices))
        parts += in_step(learner, smaller)


def _back_off(learner: Learner, rows: Encoded, failed: list[int], said: str) -> None:
    """Make the next attempt smaller than the one that failed."""
    room, section = learner.room, learner.section
    lengths = [rows.length(row) for row in failed]
    size = sum(lengths) if learner.quick.packing else len(lengths) * max(lengths)
    if section.parallel.in_step and learner.ranks.count > 1:
        raise TrainingError(
            f"memory ran out on a micro-batch of {size} tokens: {said}",
            where=f"rows {', '.join(rows.origins[row] for row in failed[:5])}",
            fix="lower train.batch.per_device_train_batch_size, or write gradient_checkpointing: true",
        )
    first = room.ran_out == 0
    room.ran_out += 1
    if len(failed) > 1:
        room.tokens = size // 2
        what = f"{len(failed)} rows at once did not fit: from here on at most {room.tokens} tokens go through at once"
    elif section.batch.gradient_checkpointing == "auto" and not recomputed(learner.model):
        recompute(learner.model)
        room.recompute = True
        what = "one row did not fit: from here on blocks are computed again in the backward pass"
        first = True
    else:
        raise _too_large(learner, rows, failed[0], said)
    if first:
        learner.progress.note(f"memory ran out; {what}; the result stays the same")


def _too_large(learner: Learner, rows: Encoded, row: int, said: str) -> TrainingError:
    tokens = int(rows.lengths[row])
    ways = [] if recomputed(learner.model) else ["train.batch.gradient_checkpointing: true"]
    ways.append(f"a max_length below {tokens} (train.max_length is {learner.section.max_length})")
    ways += ["an adapter that learns less, such as lora"] if learner.section.adapter.name == "full" else []
    return TrainingError(
        f"one row of {tokens} tokens does not fit in memory: {said}",
        where=rows.origins[row],
        fix=f"write {', or '.join(ways)}; or take a smaller model.base",
    )
