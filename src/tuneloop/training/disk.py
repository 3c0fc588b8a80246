"""Disk: whether the checkpoints of a run will find room, asked before its first step."""

from __future__ import annotations

import math
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from tuneloop.errors import StoreError

if TYPE_CHECKING:
    from tuneloop.training.loop import Learner


def refuse_full_disk(learner: Learner, folder: Path, checkpoint: int) -> None:
    """Stop before the first step where the checkpoints that are still to come do not fit on the disk.

    Args:
        learner: What learns.
        folder: The run's work folder; what lies there already is not counted again.
        checkpoint: Bytes of one checkpoint: the weights that learn, and what the optimizer keeps for them.

    Raises:
        StoreError: They do not fit.
    """
    limit = learner.section.checkpoints.save_total_limit
    # at the most there are those that are kept, the best, the one being written and the tuned model
    most = min(limit + 3, math.ceil(learner.plan.steps / learner.plan.save_steps) + 2)
    there = sum(1 for _ in (folder / "checkpoints").glob("step-*"))
    needed, free = max(1, most - there) * checkpoint, shutil.disk_usage(folder).free
    if needed > free:
        raise StoreError(
            f"the checkpoints of this run need {needed / 1e6:,.0f} MB of disk, and {free / 1e6:,.0f} are free",
            where=str(folder),
            fix="free some space (tuneloop gc removes what no ref reaches), lower "
            f"train.checkpoints.save_total_limit (now {limit}), or choose another disk with --store FOLDER",
        )
