"""Details: what is told of a step and of an evaluation besides the loss, from figures that are there anyway."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import torch
from torch import Tensor

from tuneloop.monitoring.row_losses import FIELDS
from tuneloop.tasks import Batch
from tuneloop.training.groups import learning
from tuneloop.training.processes.ranks import Ranks
from tuneloop.training.signals.moves import Moves
from tuneloop.training.signals.norms import Groups
from tuneloop.training.signals.terms import COUNT, Terms, means

if TYPE_CHECKING:
    from tuneloop.models import Tokenizer
    from tuneloop.training.loop import Learner

NO_ROWS = np.zeros(0, FIELDS)


@dataclass(frozen=True)
class Details:
    """What is known beforehand of the figures to be told.

    Attributes:
        train: The terms of the training rows.
        validation: Those of the held-out rows.
        groups: The layers of the weights that learn.
        moves: Measures some steps; None where processes hold parts of weights.
    """

    train: Terms
    validation: Terms
    groups: Groups
    moves: Moves | None

    @classmethod
    def of(cls, learner: Learner, tokenizer: Tokenizer) -> Details:
        """Look at what is ready to learn."""
        train, validation = (
            Terms.of(rows, learner.task, tokenizer.end_ids) for rows in (learner.train, learner.validation)
        )
        moves = None if learner.section.parallel.in_step else Moves(learner.weights)
        return cls(train, validation, Groups(learner.model, learning(learner.model)), moves)


class Lost:
    """What the micro-batches of one pass tell; it stays on the device until it is asked for.

    Args:
        wanted: Whether losses of single terms are kept.

    Attributes:
        sums: The task's own sums by name.
        rows: The examples whose losses were kept, in their order.
        losses: Their losses, term by term.
    """

    def __init__(self, wanted: bool) -> None:
        self.wanted = wanted
        self.sums: dict[str, Tensor] = {}
        self.rows: list[int] = []
        self.losses: list[Tensor] = []

    def take(self, batch: Batch, weight: int) -> None:
        """Take in a micro-batch that counts so often: once, or not at all."""
        for name, value in batch.figures.items():
            self.sums[name] = self.sums.get(name, 0) + value * weight
        if self.wanted and weight and batch.each:
            self.rows += batch.rows
            self.losses += batch.each


def to_host(
    figures: Mapping[str, Tensor], lost: Lost, norms: Tensor | None = None
) -> tuple[dict[str, float], np.ndarray, np.ndarray | None]:
    """Bring everything of a pass to the host in one copy.

    Args:
        figures: Scalars by name; the first one decides device and format.
        lost: What the pass told.
        norms: Norms of the gradient's tensors, ``(tensors,)``.

    Returns:
        The scalars, those of the pass among them; the losses of single terms; and the norms.
    """
    figures = {**figures, **lost.sums}
    first = next(iter(figures.values()))
    scalars = torch.stack([value.to(first) for value in figures.values()])
    beside = [] if norms is None else [norms]
    values = torch.cat([scalars, *(each.to(first) for each in (*beside, *lost.losses))]).cpu().numpy()
    start = len(scalars)
    end = start + (0 if norms is None else len(norms))
    named = dict(zip(figures, values[:start].tolist(), strict=True))
    return named, values[end:], None if norms is None else values[start:end]


def gathered(ranks: Ranks, sums: dict[str, float], entries: np.ndarray) -> tuple[dict[str, float], np.ndarray]:
    """Figures of all processes added up by name in the order of ranks, and the entries of all, in one message.

    Raises:
        Lost: A process has ended.
    """
    if ranks.count == 1:
        return ranks.sums(sums), entries
    summed: dict[str, float] = {}
    found: list[np.ndarray] = []
    for told in ranks.collect(msgspec.msgpack.encode((sums, entries.tobytes()))):
        figures, data = msgspec.msgpack.decode(told, type=tuple[dict[str, float], bytes])
        found.append(np.frombuffer(data, FIELDS))
        for name, figure in figures.items():
            summed[name] = summed.get(name, 0.0) + figure
    return summed, np.concatenate(found)


def placed(
    terms: Terms | None, rows: Sequence[int], losses: np.ndarray, *, chances: bool = False
) -> tuple[dict[str, float], np.ndarray]:
    """Sums by place and source, and entries of single rows; nothing where no terms were told apart."""
    return terms.sums(rows, losses, chances=chances) if terms is not None and rows else ({}, NO_ROWS)


def loss_figures(sums: dict[str, float]) -> dict[str, float]:
    """Take the sums by place and source out of all sums of a pass, and make their means: ``loss/first`` and so on."""
    names = [name for name in sums if name + COUNT in sums]
    taken = {key: sums.pop(key) for name in names for key in (name, name + COUNT)}
    return means(taken)
