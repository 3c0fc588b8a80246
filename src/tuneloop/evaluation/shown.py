"""Shown: what one model showed on single rows, in a report, so that models can be compared row by row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from tuneloop.evaluation.answers import Answered
from tuneloop.rows import jsonl
from tuneloop.store import Report

LOSSES = "losses.jsonl"
ANSWERS = "answers.jsonl"


class RowLoss(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of ``losses.jsonl``.

    Attributes:
        record: Id of the record.
        origin: Where it came from.
        size: Characters of the row.
        loss: Sum of the row's losses in nats, by model.
        terms: How many terms each sum is of, by model.
    """

    record: str
    origin: str
    size: int
    loss: dict[str, float]
    terms: dict[str, int]


@dataclass(frozen=True)
class Shown:
    """What one model showed.

    Attributes:
        losses: Sum of the losses and number of terms of each row, by the record's id.
        scores: Scores of each answered row by metric, by the record's id.
        answers: What was answered, by the record's id.
    """

    losses: Mapping[str, tuple[float, int]]
    scores: Mapping[str, Mapping[str, float]]
    answers: Mapping[str, str]

    @classmethod
    def of(cls, answered: Sequence[Answered], losses: Sequence[RowLoss], side: str) -> Shown:
        """What one side of a report showed: ``tuned``, ``base`` or the name of another model."""
        return cls(
            losses={row.record: (row.loss[side], row.terms[side]) for row in losses if side in row.loss},
            scores={row.record: row.scores[side] for row in answered if side in row.scores},
            answers={row.record: row.said(side) for row in answered if side in row.scores},
        )

    @classmethod
    def of_report(cls, report: Report, side: str = "tuned") -> Shown:
        """What one side showed, by the files of a report; an old report has no losses of single rows."""
        return cls.of(*rows_of(report), side)


def rows_of(report: Report) -> tuple[list[Answered], list[RowLoss]]:
    """The answers and the losses of a report, row by row."""
    losses = report.folder / LOSSES
    return (
        list(jsonl.read(report.folder / ANSWERS, Answered)),
        list(jsonl.read(losses, RowLoss)) if losses.exists() else [],
    )
