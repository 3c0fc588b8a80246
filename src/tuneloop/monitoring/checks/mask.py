"""Mask: what is learned of the rows is not the answers."""

from __future__ import annotations

from typing import ClassVar, Literal, final

from pydantic import Field

from tuneloop.monitoring.checks import Check
from tuneloop.monitoring.history import History
from tuneloop.rows import Finding

ANSWERING = ("sft", "distillation")
"""Tasks that learn answers behind questions."""


@final
class Mask(Check):
    """The learned tokens are too few to be answers, or the questions are learned as well."""

    explains: ClassVar[tuple[str, ...]] = ("underfit", "rate_too_low", "dead", "never_stops", "truncated")

    few: float = Field(0.005, gt=0, lt=1)
    """Share of the tokens that are learned, below which the answers cannot be among them."""
    most: float = Field(0.95, gt=0, le=1)
    """Share of the tokens that are learned, above which the questions must be among them."""

    def look(self, history: History) -> Finding | None:
        """Compare the learned tokens with all tokens, row by row where the rows are known."""
        task = history.part("task", "")
        if task not in ANSWERING:
            return None
        tokens, learned = history.fact("data/train/tokens"), history.fact("data/train/learned_tokens")
        if not tokens or learned is None:
            return None
        share = learned / tokens
        if share < self.few or self._bare(history):
            return self._told(
                history,
                "error",
                share,
                f"only {learned:.0f} of {tokens:.0f} training tokens ({share:.2%}) are learned: no whole answers",
                "mark what is to be learned: answers need the role assistant, and no learn: false",
                change=""
                if history.option(f"task.{task}.learn_from") != "last"
                else f"task.{task}.learn_from=assistant",
            )
        if share > self.most and history.option(f"task.{task}.learn_from") == "all":
            return self._told(
                history,
                "warning",
                share,
                f"{share:.0%} of the training tokens are learned, the questions too: the model learns to ask",
                "learn the answers alone",
                change=f"task.{task}.learn_from=assistant",
            )
        return None

    def _bare(self, history: History) -> bool:
        """Whether most rows learn one token alone, which is the end of the answer without its words."""
        rows = history.train_rows
        return rows is not None and len(rows) > 0 and sorted(rows.terms.tolist())[len(rows) // 2] <= 1

    def _told(
        self,
        history: History,
        severity: Literal["warning", "error"],
        share: float,
        evidence: str,
        advice: str,
        *,
        change: str,
    ) -> Finding:
        last = history.last.step if history.last else 0
        return Finding("mask", severity, 0, last, evidence, advice, change=change, figures={"learned_share": share})
