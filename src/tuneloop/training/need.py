"""Need: the memory that a step takes besides the model, expected from what small passes keep, or really tried."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import torch

from tuneloop.models.kernels.head import HELD
from tuneloop.models.layers import blocks, linear_layers, sizes
from tuneloop.models.logits import has_bare_head
from tuneloop.models.recompute import keep, recompute, recomputed
from tuneloop.training.groups import state_bytes
from tuneloop.training.memory import kept

if TYPE_CHECKING:
    from tuneloop.tasks import Batch
    from tuneloop.training.encoded import Encoded
    from tuneloop.training.loop import Learner

SMALL = 256
"""Tokens of the longest row that is tried to learn what a token takes."""
FP32 = 4


class Need:
    """What a learner takes besides its model. Nothing of it changes, and nothing large is run before :meth:`try_`.

    Args:
        learner: Ready for its first step.
    """

    def __init__(self, learner: Learner) -> None:
        self.learner = learner

    @cached_property
    def fixed(self) -> int:
        """Bytes of gradients and optimizer state, which the first step takes and never gives back."""
        gradients = sum(weight.numel() * weight.element_size() for weight in self.learner.weights)
        return gradients + state_bytes(self.learner.model, self.learner.section)

    def largest(self, most: int, rows: Encoded | None = None) -> list[int]:
        """The rows of the largest micro-batch that there can be.

        Args:
            most: Rows at once.
            rows: The split; by default the training rows.
        """
        learner = self.learner
        rows = learner.train if rows is None else rows
        longest = rows.lengths.argsort(kind="stable")[::-1][: max(most, 1)].tolist()
        parts = learner.layout(rows, longest, most=most)
        return max(parts, key=lambda part: self._size(rows, part))

    def tokens(self, most: int) -> int:
        """Tokens of the largest micro-batch, padding counted."""
        return self._size(self.learner.train, self.largest(most))

    def of(self, most: int) -> int:
        """Bytes that a step is expected to take with so many rows at once.

        Args:
            most: Rows at once.
        """
        rows = self.learner.train
        part = self.largest(most)
        if self.learner.quick.packing:
            activations = self._size(rows, part) * self._token(0)
        else:
            length = max(rows.length(row) for row in part)
            activations = len(part) * length * self._token(length)
        return int(self.fixed + activations + self._passing(part))

    def try_(self, most: int) -> None:
        """Go through the longest rows as a step does, forward and backward, and as an evaluation does.

        Raises:
            RuntimeError: Memory ran out; or anything else that fails.
        """
        learner, device = self.learner, self.learner.precision.device
        was = learner.model.training
        devices = [device] if device.type == "cuda" else []
        held = torch.empty(self.fixed, dtype=torch.uint8, device=device) if device.type == "cuda" else None
        try:
            with torch.random.fork_rng(devices):
                learner.model.train()
                for batch in learner.together(learner.train, self.largest(most)):
                    with learner.precision.forward():
                        loss = learner.loss(learner.model, batch)
                    loss.backward()  # type: ignore[no-untyped-call]
                learner.model.eval()
                if len(learner.validation):
                    with torch.no_grad(), learner.precision.forward():
                        for batch in learner.together(learner.validation, self.largest(most, learner.validation)):
                            learner.loss(learner.model, batch)
        finally:
            del held
            learner.model.train(was)

    def _size(self, rows: Encoded, part: list[int]) -> int:
        lengths = [rows.length(row) for row in part]
        return sum(lengths) if self.learner.quick.packing else len(lengths) * max(lengths)

    def _token(self, length: int) -> float:
        """Bytes kept for a token of a row of a length; a stream keeps the same for each."""
        (short, few), (tokens, many) = self._samples
        slope = 0.0 if tokens == short else max(0.0, (many / tokens - few / short) / (tokens - short))
        return many / tokens + slope * max(0, length - tokens)

    @cached_property
    def _samples(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Tokens, and the bytes kept for them, of the shortest row and of a longer one that is still small."""
        learner = self.learner
        lengths = learner.train.lengths
        order = lengths.argsort(kind="stable")
        small = [int(row) for row in order if lengths[row] <= SMALL][-1:]
        was = learner.model.training
        learner.model.train()
        found = []
        for row in (int(order[0]), *(small or order[:1].tolist())):
            (batch,) = learner.together(learner.train, [row])
            found.append((int(lengths[row]), self._kept(batch)))
        learner.model.train(was)
        return found[0], found[1]

    def _kept(self, batch: Batch) -> int:
        """Bytes kept for a batch; where blocks are computed again, the one that is being computed counts too."""
        model = self.learner.model
        fewer = kept(self.learner, batch)
        if not recomputed(model):
            return fewer
        keep(model)
        usual = kept(self.learner, batch)
        recompute(model)
        return fewer + max(0, usual - fewer) // len(blocks(model))

    def _passing(self, part: list[int]) -> int:
        """Bytes of what comes and goes on the way: the widest layer's slopes, and the logits."""
        model, rows = self.learner.model, self.learner.train
        widest = max(max(sizes(layer)) for layer in linear_layers(model).values())
        passing = 3 * FP32 * self._size(rows, part) * widest
        head = model.get_output_embeddings()  # type: ignore[operator]
        if head is None:
            return passing
        logits = sum(sum(rows[row].learn[1:]) for row in part) * max(sizes(head))
        return passing + (2 * FP32 * min(logits, HELD) if has_bare_head(model) else 3 * FP32 * logits)
