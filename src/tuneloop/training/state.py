"""The state of a run: everything that changes from step to step, besides weights, optimizer and random numbers."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Sequence

import msgspec


class Room(msgspec.Struct):
    """What a run has learned about its memory on the way; it is saved with every checkpoint.

    Attributes:
        tokens: Tokens of the largest micro-batch of several rows; None while any has fit.
        ran_out: How often memory ran out.
        recompute: Whether the blocks compute again in the backward pass because a single row did not fit.
    """

    tokens: int | None = None
    ran_out: int = 0
    recompute: bool = False


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
        peak: First and last step, counted from 1, that was made at the highest rate.
        sizes: Fewest and most rows of a step.
        micro: Micro-batches in all.
        micros: Fewest and most micro-batches of a step.
        clipped: Steps whose gradient was clipped.
        signals: Bytes of ``signals.jsonl`` when the state was saved.
        seen: Digest of the ids of all rows consumed, in their order; equal for two runs that saw the same rows in the
            same order, however these were cut into steps.
        shares: Rows that each process took.
        room: What it has learned about its memory.
        processes: (step, processes): after this step the run went on with so many.
        size: Rows of a step.
        shift: Steps that were made beyond those that so many rows take with steps of this size: the schedule does not
            count them. Not 0 where the size was changed on the way.
    """

    step: int = 0
    epoch: int = 0
    row: int = 0
    rows: int = 0
    tokens: int = 0
    learned: int = 0
    held_out: list[tuple[int, float]] = []
    rates: tuple[float, float, float] = (0.0, 0.0, 0.0)
    peak: tuple[int, int] = (0, 0)
    sizes: tuple[int, int] = (0, 0)
    micro: int = 0
    micros: tuple[int, int] = (0, 0)
    clipped: int = 0
    signals: int = 0
    seen: str = ""
    shares: list[int] = []
    processes: list[tuple[int, int]] = []
    size: int = 0
    shift: int = 0
    room: Room = msgspec.field(default_factory=Room)

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

    def saw(self, rows: Iterable[str]) -> None:
        """Add the ids of rows to the digest of what was seen.

        Example:
            >>> one, two = State(), State()
            >>> one.saw(["a", "b", "c"]), two.saw(["a"]), two.saw(["b", "c"])
            (None, None, None)
            >>> one.seen == two.seen
            True
        """
        for row in rows:
            self.seen = hashlib.sha256(f"{self.seen}{row}".encode()).hexdigest()

    def goes_on(self, processes: int) -> None:
        """Remember how many processes share the run from here on."""
        if not self.processes or self.processes[-1][1] != processes:
            self.processes.append((self.step, processes))

    def shared(self, shares: Sequence[int]) -> None:
        """Count the rows that each process takes of one step."""
        self.shares += [0] * (len(shares) - len(self.shares))
        for rank, rows in enumerate(shares):
            self.shares[rank] += rows

    def went(
        self, *, rows: int, tokens: int, learned: int, rate: float, of: int, micro: int = 1, clipped: bool = False
    ) -> None:
        """Count one optimizer step.

        Args:
            rows: Rows it consumed.
            tokens: Tokens it read.
            learned: Supervised tokens among them.
            rate: The learning rate it used.
            of: Rows of an epoch.
            micro: Micro-batches that its rows went through the model in.
            clipped: Whether its gradient was longer than ``max_grad_norm``.
        """
        first = self.step == 0
        self.step += 1
        if first or rate > self.rates[1]:
            self.peak = (self.step, self.step)
        elif rate == self.rates[1]:
            self.peak = (self.peak[0], self.step)
        self.rates = (rate if first else self.rates[0], max(self.rates[1], rate), rate)
        self.sizes = (rows, rows) if first else (min(self.sizes[0], rows), max(self.sizes[1], rows))
        self.micros = (micro, micro) if first else (min(self.micros[0], micro), max(self.micros[1], micro))
        self.rows += rows
        self.tokens += tokens
        self.learned += learned
        self.micro += micro
        self.clipped += clipped
        self.row += rows
        if self.row >= of:
            self.epoch, self.row = self.epoch + 1, 0
