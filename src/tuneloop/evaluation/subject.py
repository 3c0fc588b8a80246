"""What a report is about, and what each model showed: the values that the stage hands on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tuneloop.evaluation.answers import Said
from tuneloop.evaluation.benchmarks import Benchmarked
from tuneloop.evaluation.loss import HeldOut
from tuneloop.evaluation.section import EvaluateSection
from tuneloop.store import Dataset, Model, Run
from tuneloop.store.digest import of_value
from tuneloop.tasks import Question, Task

if TYPE_CHECKING:
    from tuneloop.evaluation.given import Given
    from tuneloop.evaluation.regression import Kept


@dataclass(frozen=True)
class Subject:
    """What a report is about.

    Attributes:
        section: On what and how is measured.
        name: Title of the report.
        model: The tuned model.
        dataset: The dataset with the rows that are measured.
        task: What was learned.
        run: The training run, if it is known.
        seed: Seed of the intervals and of drawn tokens.
        given: What else the report speaks of: other models' reports, rows that must stay right.
    """

    section: EvaluateSection
    name: str
    model: Model
    dataset: Dataset
    task: Task
    run: Run | None
    seed: int
    given: Given

    @property
    def parents(self) -> dict[str, str]:
        """Ids of the artifacts that the report is made from, by their role."""
        run = {"run": self.run.id} if self.run else {}
        return {"model": self.model.id, "dataset": self.dataset.id} | run

    @property
    def options(self) -> dict[str, Any]:
        """The sections of the recipe that decide the report, spelled out."""
        return {"task": self.task.spelled(), "evaluate": self.section.deciding(), "seed": self.seed}

    @property
    def key(self) -> str:
        """Digest of everything that decides the report."""
        return of_value(["report 2", self.parents, self.options, self.name, self.given.digest()])


@dataclass(frozen=True)
class Measured:
    """What one of the two models showed.

    Attributes:
        held_out: Its loss on all rows.
        asked: The questions it was asked.
        answers: What it said, in the order of the questions.
        too_long: Rows passed over because their prompt fills the whole context.
        device: Where it ran.
        sure: The probability it gave to each answer that it chose; empty for a model that writes.
        seconds: How long all answers took.
        benchmarks: What public benchmarks say of it.
        kept: The rows that must stay right, with what it said to each.
    """

    held_out: HeldOut
    asked: list[Question]
    answers: list[Said]
    too_long: int
    device: str
    sure: list[float] = field(default_factory=list)
    seconds: float = 0.0
    benchmarks: list[Benchmarked] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)

    @property
    def speed(self) -> dict[str, float]:
        """How fast it answered, all questions side by side; nothing where it was not asked to write."""
        tokens = sum(said.tokens for said in self.answers)
        if not tokens or not self.seconds:
            return {}
        return {"tokens_per_second": tokens / self.seconds, "seconds_per_answer": self.seconds / len(self.answers)}
