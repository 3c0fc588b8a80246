"""Shuffled: held-out answers behind the questions of other rows, which shows whether answers depend on questions."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from tuneloop.tasks import Tokens
from tuneloop.training.encoded import Encoded
from tuneloop.training.signals.passes import row_losses
from tuneloop.training.signals.terms import labels

if TYPE_CHECKING:
    from tuneloop.training.loop import Learner

MOST = 128
"""Rows that are looked at."""
LEAST = 8


@dataclasses.dataclass(frozen=True)
class Shuffled:
    """Rows whose answers stand behind other questions.

    Attributes:
        rows: Other questions with these answers.
        own: The row of the split that each answer came from.
    """

    rows: list[Tokens]
    own: list[int]

    @classmethod
    def of(cls, rows: Encoded, *, most: int = MOST) -> Shuffled | None:
        """Give the answers of some rows the question of the next row of like length.

        Answers stay whole; a question that is too long for one is cut at its beginning.

        Args:
            rows: The held-out split.
            most: Rows that are looked at, drawn by chance, always the same ones.

        Returns:
            None where too few rows have a question and an answer, or all have the same question.
        """
        labelled = labels(rows)
        longest = int(rows.lengths.max()) if len(rows) else 0
        drawn = np.random.default_rng(0).permutation(len(rows))[:most].tolist()
        halves: list[tuple[int, list[int], list[int]]] = []
        for row in drawn:
            begin, end = int(rows.ends[row]) - rows.length(row), int(rows.ends[row])
            start = int(labelled[begin:end].argmax())
            if start > 1:
                halves.append((row, rows.ids[begin : begin + start].tolist(), rows.ids[begin + start : end].tolist()))
        halves.sort(key=lambda half: len(half[1]))
        if len(halves) < LEAST or len({tuple(question) for _, question, _ in halves}) < 2:
            return None
        mixed: list[Tokens] = []
        for place, (row, question, answer) in enumerate(halves):
            others = (halves[(place + by) % len(halves)][1] for by in range(1, len(halves)))
            other = next(each for each in others if each != question)
            other = other[max(0, len(other) + len(answer) - longest) :] or other[-1:]
            end = int(rows.ends[row])
            learn = [0] * len(other) + rows.learn[end - len(answer) : end].tolist()
            mixed.append(Tokens(other + answer, learn))
        own = [row for row, _, _ in halves]
        return cls(mixed, own)

    def measure(self, learner: Learner, loss: float, usual: Mapping[int, float]) -> dict[str, float]:
        """The held-out loss as it would be with shuffled questions, and its standard error.

        Both are told from the difference that the questions of others make to the same answers, so little depends on
        which rows were drawn.

        Args:
            learner: Its model is measured.
            loss: The held-out loss of all rows, in nats per term.
            usual: The mean loss of each row with its own question.
        """
        losses, terms = row_losses(learner, self.rows)
        before = np.array([usual[row] for row in self.own])
        more = (losses - before) * terms / terms.mean()
        mean = float(more.mean())
        error = float((more - mean * terms / terms.mean()).std(ddof=1) / len(more) ** 0.5)
        return {"validation/shuffled_loss": loss + mean, "validation/shuffled_loss/error": error}
