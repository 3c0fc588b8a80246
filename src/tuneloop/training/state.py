"""The state of a run: everything that changes from step to step, besides weights, optimizer and random numbers."""

from __future__ import annotations

import math

import msgspec


class State(msgspec.Struct):
    """Where a run stands; with the tensors of a checkpoint it is all that a run needs to go on.

    Early stopping and the plateau schedule read ``held_out`` and keep no counters of their own.

    Attributes:
        step: Optimizer steps made.
        epoch: Passes over the rows that are complete.
        row: Rows of the present epoch that were consumed.
        rows: Rows consumed in all.
        tokens: Tokens read in all, padding not counted.
        learned: Supervised tokens in all.
        held_out: (step, held-out loss in nats per token) of every evaluation, oldest first.
        rates: First, highest and last learning rate used.
        signals: Bytes of ``signals.jsonl`` when the state was saved.
    """

    step: int = 0
    epoch: int = 0
    row: int = 0
    rows: int = 0
    tokens: int = 0
    learned: int = 0
    held_out: list[tuple[int, float]] = []
    rates: tuple[float, float, float] = (0.0, 0.0, 0.0)
    signals: int = 0

    @property
    def losses(self) -> list[float]:
        """The held-out losses, oldest first."""
        return [loss for _, loss in self.held_out]

    @property
    def best(self) -> tuple[int, float] | None:
        """Step and value of the lowest held-out loss, the earliest of equals; None before the first evaluation."""
        return min(self.held_out, key=lambda entry: (entry[1], entry[0]), default=None)

    def waited(self, min_delta: float = 0.0) -> int:
        """Evaluations in a row, up to now, that improved on the best before them by no more than ``min_delta``.

        Example:
            >>> State(held_out=[(10, 2.0), (20, 1.5), (30, 1.6), (40, 1.7)]).waited()
            2
        """
        best, count = math.inf, 0
        for loss in self.losses:
            if loss < best - min_delta:
                best, count = loss, 0
            else:
                count += 1
        return count

    def went(self, *, rows: int, tokens: int, learned: int, rate: float, of: int) -> None:
        """Count one optimizer step.

        Args:
            rows: Rows it consumed.
            tokens: Tokens it read.
            learned: Supervised tokens among them.
            rate: The learning rate it used.
            of: Rows of an epoch.
        """
        self.rates = (self.rates[0] if self.step else rate, max(self.rates[1], rate), rate)
        self.step += 1
        self.rows += rows
        self.tokens += tokens
        self.learned += learned
        self.row += rows
        if self.row >= of:
            self.epoch, self.row = self.epoch + 1, 0
