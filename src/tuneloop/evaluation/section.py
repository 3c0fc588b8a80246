"""The ``evaluate`` section: on what a model is measured, and how."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from tuneloop.evaluation.benchmarks import Benchmark
from tuneloop.evaluation.gates.section import Gate
from tuneloop.evaluation.judging.section import JudgeSection
from tuneloop.evaluation.metrics import Metric
from tuneloop.parts import OneOf, Section, find


class Draw(Section):
    """How answers are drawn, instead of taking the likeliest token each time."""

    temperature: float = Field(0.7, ge=0, le=2)
    """How freely tokens are drawn; 0 takes the likeliest."""
    top_k: int = Field(50, ge=0)
    """Only the so many likeliest tokens count; 0 leaves all."""


class EvaluateSection(Section):
    """How the tuned model is compared with its base, with the champion, and with what it must reach."""

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
    draw: Draw | None = None
    """Draws the answers, by ``temperature`` and ``top_k``; null takes the likeliest token each time."""
    against: list[str] = Field(default_factory=lambda: ["champion"])
    """Other models that are measured on the same rows, by ref or id. ``champion`` is the recipe's own one, or where the
    model is the champion itself, the one before; none is no error."""
    regression: str = Field("", examples=["must_stay_right.jsonl"])
    """A file of rows that must stay right, in any form that data can have; what broke or was mended is listed."""
    judge: JudgeSection | None = None
    """A model behind an OpenAI-compatible endpoint that compares the answers, or grades them."""
    benchmarks: list[OneOf[Benchmark]] = Field(default_factory=list)
    """Public benchmarks, from files on this machine."""
    gates: list[Gate] = Field(default_factory=list)
    """What must be reached; ``tuneloop evaluate --gate`` fails where it is not."""

    def deciding(self) -> dict[str, Any]:
        """What of this decides a report, as plain values.

        Gates read a finished report, the models to compare with are told by their ids, and what stands at its default
        was not there in earlier versions: the same report is found again.
        """
        values = self.model_dump(mode="json", exclude={"gates", "against"})
        later = {name: values.pop(name) for name in ("draw", "regression", "judge", "benchmarks")}
        if self.judge is not None:
            later["judge"] = self.judge.deciding()
        return values | {name: value for name, value in later.items() if value}
