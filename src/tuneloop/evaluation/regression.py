"""Rows that must stay right: which of them are, and what broke or was mended since the champion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from tuneloop.errors import DataError
from tuneloop.evaluation.answers import Said
from tuneloop.evaluation.given import Given
from tuneloop.evaluation.interval import wilson
from tuneloop.evaluation.section import EvaluateSection
from tuneloop.rows import jsonl
from tuneloop.store import Report
from tuneloop.tasks import Question, Task

if TYPE_CHECKING:
    from tuneloop.models import Loaded

FILE = "regression.jsonl"
SHOWN = 10
"""Broken rows that a report shows with both answers."""


class Kept(msgspec.Struct, frozen=True):
    """One line of ``regression.jsonl``: a row that must stay right.

    Attributes:
        record: Id of the record.
        origin: Where it came from.
        prompt: The question as a person reads it.
        reference: The right answer.
        answer: What the tuned model answered.
        right: Whether that is the reference, white space at both ends forgiven, or the first metric is at its best.
    """

    record: str
    origin: str
    prompt: str
    reference: str
    answer: str
    right: bool


def questions_of(given: Given, task: Task, loaded: Loaded) -> list[Question]:
    """What is asked of the rows that must stay right.

    Raises:
        DataError: None of the rows has a question.
    """
    found = [task.question(record, loaded.tokenizer) for record in given.regression]
    asked = [question for question in found if question is not None]
    if given.regression and not asked:
        raise DataError(
            f"none of the {len(given.regression)} rows that must stay right asks for an answer",
            where="evaluate.regression",
            fix="give rows with a question and its right answer, as the task learns them",
        )
    return asked


def kept(section: EvaluateSection, asked: Sequence[Question], said: Sequence[Said]) -> list[Kept]:
    """Judge each row by itself."""
    references, texts = [question.reference for question in asked], [one.text for one in said]
    best = section.metrics[0].score(texts, references) if section.metrics else [0.0] * len(texts)
    return [
        Kept(
            record=question.record.id,
            origin=question.record.origin,
            prompt=question.shown,
            reference=question.reference,
            answer=text,
            right=text.strip() == question.reference.strip() or score >= 1 - 1e-9,
        )
        for question, text, score in zip(asked, texts, best, strict=True)
    ]


def against(rows: Sequence[Kept], given: Given) -> dict[str, Any]:
    """Tell how many rows are right, and which broke or were mended since the first model that is compared with.

    Returns:
        ``rows``, ``right`` (share with its interval), ``against`` (a name, or empty), origins of the rows that are
        ``wrong``, that are wrong and were right (``broken``) and that are right and were wrong (``fixed``), and
        ``shown``, the first broken ones with what was answered before. Empty where there are no rows.
    """
    if not rows:
        return {}
    name, before = next(((name, _before(report)) for name, report in given.against.items()), ("", {}))
    broken = [row for row in rows if not row.right and row.record in before and before[row.record].right]
    fixed = [row for row in rows if row.right and row.record in before and not before[row.record].right]
    return {
        "rows": len(rows),
        "right": msgspec.to_builtins(wilson(sum(row.right for row in rows), len(rows))),
        "against": name,
        "wrong": [row.origin for row in rows if not row.right],
        "broken": [row.origin for row in broken],
        "fixed": [row.origin for row in fixed],
        "shown": [msgspec.to_builtins(row) | {"was": before[row.record].answer} for row in broken[:SHOWN]],
    }


def _before(report: Report) -> dict[str, Kept]:
    path = report.folder / FILE
    return {row.record: row for row in jsonl.read(path, Kept)} if path.exists() else {}
