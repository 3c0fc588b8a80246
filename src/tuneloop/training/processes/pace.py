"""Pace: processes that share a model's weights go through it equally often."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from tuneloop.tasks import Batch

if TYPE_CHECKING:
    from tuneloop.training.loop import Learner


def in_step(learner: Learner, batches: Iterable[Batch]) -> list[tuple[Batch, int]]:
    """Micro-batches of this process with what they count: 1, or 0 where it only keeps in step with one that has more.

    Args:
        learner: What learns.
        batches: The micro-batches of this process.

    Raises:
        Lost: A process has ended.
    """
    counted = [(batch, 1) for batch in batches if batch.supervised]
    if not learner.section.parallel.in_step:
        return counted
    missing = int(max(count for (count,) in learner.ranks.gather(len(counted)))) - len(counted)
    shortest = [int(learner.train.lengths.argmin())] if missing else []
    return counted + [(batch, 0) for batch in learner.batches(learner.train, shortest)] * missing
