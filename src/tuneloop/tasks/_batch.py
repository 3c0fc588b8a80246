"""Examples, and how they stand side by side on a device: in rows filled up with padding, or packed in one stream."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import torch


class Tokens(NamedTuple):
    """One run of tokens that are read together.

    Attributes:
        ids: Token ids.
        learn: For each token, whether it is learned (1) or only read (0).
    """

    ids: Sequence[int]
    learn: Sequence[int]


@dataclass(frozen=True, slots=True)
class Example:
    """One row as the model sees it.

    Attributes:
        ids: Token ids, one per token.
        learn: For each token, whether the model learns to predict it (1) or only reads it (0).
        record: Id of the record it came from.
        marks: The task's own integers, as many for every example of a task: a class, or where a second answer begins.
        cut: Whether something of its record was left out to make it fit.
    """

    ids: tuple[int, ...]
    learn: tuple[int, ...]
    record: str
    marks: tuple[int, ...] = ()
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Batch:
    """Examples on a device, either padded on the right, or packed: one after the other in a single row.

    Attributes:
        ids: Token ids, ``(rows, sequence)``, or ``(1, tokens)`` when packed; int64.
        mask: 1 for tokens, 0 for padding, of the same shape, int64.
        labels: The token ids to be learned at their own position, -100 elsewhere, of the same shape, int64. The first
            token of a sequence, which nothing predicts, is never labelled.
        supervised: How many terms the loss is the sum of: labels, unless the task says otherwise.
        tokens: How many tokens are no padding.
        ends: Packed: where each sequence ends in the row. Empty when padded.
        marks: The examples' own integers, ``(examples, marks)``, int64; None if the task has none.
        values: Numbers that were worked out for the examples before training, ``(examples, values)``, fp32; or None.
        gauge: What :meth:`Task.gauge` measured, a mean over all terms of the step; None if it was not measured.
        figures: What the task's loss tells besides: sums over the batch by name, scalars without gradient.
        rows: Which examples of the split these are, in their order; empty where nobody asks.
        each: The single summands of the task's loss, left here by it in the order of examples and labels: one tensor
            ``(supervised,)`` without gradient. Empty where a task does not tell them apart.
    """

    ids: torch.Tensor
    mask: torch.Tensor
    labels: torch.Tensor
    supervised: int
    tokens: int
    ends: tuple[int, ...] = ()
    marks: torch.Tensor | None = None
    values: torch.Tensor | None = None
    gauge: float | None = None
    figures: dict[str, torch.Tensor] = field(default_factory=dict)
    rows: tuple[int, ...] = ()
    each: list[torch.Tensor] = field(default_factory=list)

    def to(self, device: torch.device) -> Batch:
        """The same batch on a device; to a GPU without waiting for the copy."""
        if self.ids.device == device:
            return self
        moved = {
            name: (value.pin_memory() if device.type == "cuda" else value).to(device, non_blocking=True)
            for name in ("ids", "mask", "labels", "marks", "values")
            if (value := getattr(self, name)) is not None
        }
        return dataclasses.replace(self, **moved)


def padded(sequences: Sequence[Tokens], pad: int) -> Batch:
    """Put sequences in rows of one length, short ones filled up with ``pad`` under mask 0 and label -100.

    Args:
        sequences: One for each row.
        pad: Any id of the vocabulary.

    Example:
        >>> batch = padded([Tokens((5, 6, 7), (0, 1, 1)), Tokens((5, 7), (0, 1))], pad=0)
        >>> batch.ids.tolist(), batch.labels.tolist(), batch.supervised, batch.tokens
        ([[5, 6, 7], [5, 7, 0]], [[-100, 6, 7], [-100, 7, -100]], 3, 5)
    """
    import torch

    shape = (len(sequences), max(len(sequence.ids) for sequence in sequences))
    ids = torch.full(shape, pad, dtype=torch.int64)
    mask = torch.zeros(shape, dtype=torch.int64)
    labels = torch.full(shape, -100, dtype=torch.int64)
    for row, sequence in enumerate(sequences):
        length = len(sequence.ids)
        ids[row, :length] = torch.tensor(sequence.ids)
        mask[row, :length] = 1
        labels[row, :length] = _labels(sequence)
    return Batch(ids, mask, labels, int((labels != -100).sum()), int(mask.sum()))


def packed(sequences: Sequence[Tokens]) -> Batch:
    """Put sequences one after the other in a single row, without padding.

    Example:
        >>> batch = packed([Tokens((5, 6, 7), (0, 1, 1)), Tokens((5, 7), (1, 1))])
        >>> batch.ids.tolist(), batch.labels.tolist(), batch.ends
        ([[5, 6, 7, 5, 7]], [[-100, 6, 7, -100, 7]], (3, 5))
    """
    import torch

    ids = torch.cat([torch.tensor(sequence.ids) for sequence in sequences])[None]
    labels = torch.cat([_labels(sequence) for sequence in sequences])[None]
    ends = torch.tensor([len(sequence.ids) for sequence in sequences]).cumsum(0).tolist()
    return Batch(ids, torch.ones_like(ids), labels, int((labels != -100).sum()), ids.numel(), tuple(ends))


def _labels(sequence: Tokens) -> torch.Tensor:
    """The ids where they are learned, -100 elsewhere and at the first token, which nothing predicts."""
    import torch

    learn = torch.tensor(sequence.learn, dtype=torch.bool)
    learn[0] = False
    return torch.where(learn, torch.tensor(sequence.ids), -100)
