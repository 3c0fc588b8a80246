"""The plan of a run: how many steps there are, and at which of them something besides learning happens."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from tuneloop.training.section import TrainSection

FEW = 20
"""Steps of the shortest run in which an adapter learns something worth looking at."""
SOME = 100
"""Steps that are advised instead."""


@dataclass(frozen=True)
class Plan:
    """Steps and their events.

    Attributes:
        steps: Optimizer steps in all.
        epoch_steps: Optimizer steps of one epoch; the last one takes the rows that are left.
        micro: Rows that go through the model at once, at most.
        eval_steps: Steps between evaluations.
        save_steps: Steps between checkpoints.
        log_steps: Steps between lines of the log.
    """

    steps: int
    epoch_steps: int
    micro: int
    eval_steps: int
    save_steps: int
    log_steps: int

    @classmethod
    def of(cls, section: TrainSection, rows: int, log_steps: int) -> Plan:
        """Work the plan out.

        Args:
            section: The recipe's wishes.
            rows: Training examples.
            log_steps: Steps between lines of the log.

        Example:
            >>> plan = Plan.of(TrainSection(num_train_epochs=2), rows=100, log_steps=1)
            >>> plan.steps, plan.epoch_steps, plan.eval_steps
            (14, 7, 5)
        """
        epoch_steps = math.ceil(rows / section.batch.size)
        steps = section.max_steps or max(1, math.ceil(section.num_train_epochs * epoch_steps))
        eval_steps = section.eval_steps or max(1, min(epoch_steps, round(steps / 3)))
        micro = section.batch.per_device_train_batch_size or min(section.batch.size, 16)
        return cls(steps, epoch_steps, micro, eval_steps, section.checkpoints.save_steps or eval_steps, log_steps)

    def later(self, steps: int) -> Plan:
        """The plan of a run that comes to its end after so many steps more."""
        return replace(self, steps=self.steps + steps)

    def evaluates(self, step: int) -> bool:
        """Whether the held-out loss is measured after this step."""
        return step % self.eval_steps == 0 or step == self.steps

    def saves(self, step: int) -> bool:
        """Whether a checkpoint is due after this step."""
        return step % self.save_steps == 0 or step == self.steps

    @property
    def warning(self) -> str:
        """What is wrong with a run of so few steps, and what to write; empty if there are enough."""
        if self.steps >= FEW:
            return ""
        epochs = math.ceil(SOME / self.epoch_steps)
        return f"only {self.steps} steps, hardly enough to learn anything: --set train.num_train_epochs={epochs}"
