"""Early: how likely the model ends an answer where the answer goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from tuneloop.models.kernels.head import HELD
from tuneloop.models.layers import vocabulary_size
from tuneloop.models.logits import logits_at
from tuneloop.training.encoded import Encoded

if TYPE_CHECKING:
    from tuneloop.training.loop import Learner

PLACES, PER_ROW = 512, 32
"""Places that are looked at in all, and of one row."""


class Early:
    """Places inside held-out answers, always the same ones.

    Args:
        rows: The held-out split.
        end_ids: The tokens that end an answer.
        vocabulary: Tokens of the model; bounds the memory that is taken.

    Attributes:
        rows: The rows that are looked at.
    """

    def __init__(self, rows: Encoded, end_ids: tuple[int, ...], vocabulary: int) -> None:
        self._split = rows
        self._end_ids = list(end_ids)
        most = min(PLACES, max(PER_ROW, HELD // vocabulary))
        drawn = np.random.default_rng(0).permutation(len(rows))[: max(1, most // PER_ROW)]
        self.rows: list[int] = drawn.tolist()

    @classmethod
    def of(cls, learner: Learner, end_ids: tuple[int, ...]) -> Early:
        """Choose places for a run."""
        return cls(learner.validation, end_ids, vocabulary_size(learner.model))

    @torch.no_grad()
    def measure(self, learner: Learner) -> dict[str, float]:
        """The mean probability of all end tokens together inside the answers; nothing where there is no place."""
        summed, places = 0.0, 0
        was = learner.model.training
        learner.model.eval()
        with learner.precision.forward():
            for batch in learner.batches(self._split, self.rows):
                following = batch.labels[:, 1:]
                ends = torch.tensor(self._end_ids, device=following.device)
                where = torch.zeros_like(batch.labels, dtype=torch.bool)
                where[:, :-1] = (following != -100) & ~torch.isin(following, ends)
                where = _thinned(where, len(batch.rows) * PER_ROW)
                logits = logits_at(learner.model, batch.ids, where, batch.ends)
                summed += logits.float().softmax(-1)[:, ends].sum().item()
                places += len(logits)
        learner.model.train(was)
        return {"validation/end_early": summed / places} if places else {}


def _thinned(where: torch.Tensor, most: int) -> torch.Tensor:
    """At most so many of the chosen places, evenly spaced."""
    chosen = where.reshape(-1).nonzero()[:, 0]
    kept = torch.zeros_like(where).reshape(-1)
    kept[chosen[:: max(1, -(-len(chosen) // most))]] = True
    return kept.view_as(where)
