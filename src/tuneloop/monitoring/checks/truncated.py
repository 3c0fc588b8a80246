"""Truncated: answers break off in the middle of a sentence, or rows were shortened to fit."""

from __future__ import annotations

import math
from typing import ClassVar, Literal, final

from pydantic import Field

from tuneloop.monitoring.checks import Check
from tuneloop.monitoring.history import History
from tuneloop.rows import Finding

WRITING = ("sft", "distillation", "preference")
"""Tasks whose answers end."""


@final
class Truncated(Check):
    """What breaks off in the rows, breaks off in the answers: a model ends its sentences as its rows do."""

    explains: ClassVar[tuple[str, ...]] = ("never_stops",)

    unfinished: float = Field(0.4, gt=0, lt=1)
    """Share of answers that stop in the middle of a sentence, from which on it is a warning."""
    cut: float = Field(0.2, gt=0, lt=1)
    """Share of examples that were shortened to fit ``max_length``, from which on it is a warning."""

    def look(self, history: History) -> Finding | None:
        """Read the share of unfinished answers, then the share of shortened examples."""
        unfinished = history.fact("data/train/unfinished") or 0.0
        answers = history.part("task", "sft") in WRITING  # passages to pretrain on may end anywhere
        if answers and unfinished >= self.unfinished:
            return self._told(
                history,
                "warning",
                f"{unfinished:.0%} of the training answers stop in the middle of a sentence",
                "take the rows from where they are whole: they were cut before they came here",
                figures={"unfinished": unfinished},
            )
        cut = history.fact("data/train/cut") or 0.0
        if cut >= self.cut:
            return self._shortened(history, cut)
        return None

    def _shortened(self, history: History, cut: float) -> Finding:
        """Tell of shortened rows, with the length that has room for more where the model can read it."""
        length, context = history.option("train.max_length"), history.fact("model/context")
        longer = int(min(2 * length, context)) if length and context and math.isfinite(context) else 0
        return self._told(
            history,
            "warning" if history.part("task", "") in WRITING else "note",
            f"{cut:.0%} of the training examples were shortened to fit max_length {length}",
            "give them room" if length and longer > length else "leave them out, or take a model with a longer context",
            change=f"train.max_length={longer}" if length and longer > length else "",
            figures={"cut": cut},
        )

    def _told(
        self,
        history: History,
        severity: Literal["note", "warning"],
        evidence: str,
        advice: str,
        *,
        figures: dict[str, float],
        change: str = "",
    ) -> Finding:
        last = history.last.step if history.last else 0
        return Finding("truncated", severity, 0, last, evidence, advice, change=change, figures=figures)
