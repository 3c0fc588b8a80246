"""The ``evaluate`` section: on what a model is measured, and how."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tuneloop.evaluation.metrics import Metric
from tuneloop.parts import OneOf, Section, find


class EvaluateSection(Section):
    """How the tuned model is compared with its base."""

    split: Literal["test", "validation", "train"] = "test"
    """The rows it is measured on."""
    metrics: list[OneOf[Metric]] = Field(
        default_factory=lambda: [find(Metric, name)() for name in ("exact_match", "token_f1", "rouge_l", "chrf")]
    )
    """Scores of generated answers; loss and perplexity are always measured. Where a task chooses among labels, these
    four make way for ``accuracy``; macro F1 and the figures of each label come with it."""
    limit: int = Field(200, ge=1)
    """Rows that are answered by generation; the loss takes all rows."""
    max_new_tokens: int = Field(128, ge=1)
    """Tokens of the longest answer."""
    samples: int = Field(5, ge=0)
    """Rows shown in the report with base and tuned answer."""
    baseline: bool = True
    """Whether the base model is measured too."""
