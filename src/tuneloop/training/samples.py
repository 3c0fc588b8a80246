"""Samples: what the model answers as training goes on, to prompts that stay the same."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tuneloop.models import Loaded
from tuneloop.models.generate import Request, context_length, generate
from tuneloop.monitoring.section import MonitorSection
from tuneloop.rows import Chat, Content, Labeled, Message, Record, jsonl
from tuneloop.store import Dataset
from tuneloop.store.disk import writing
from tuneloop.tasks import Question

if TYPE_CHECKING:
    from tuneloop.training.loop import Learner

FILE = "samples.jsonl"
LONGEST = 128
"""Tokens of the longest sample answer."""
SAMPLES = 3
"""Questions that are asked where the recipe leaves it open."""
LOOKED_AT = 64
"""Held-out rows among which questions with short answers are looked for."""


class Prompt(NamedTuple):
    """What the model is asked.

    Attributes:
        shown: The prompt as a person reads it.
        ids: Token ids.
        reference: The right answer; None where it is not known.
        question: What a model that chooses is asked.
    """

    shown: str
    ids: tuple[int, ...]
    reference: str | None = None
    question: Question | None = None


class Samples:
    """Answers the prompts of a run.

    Args:
        section: The ``monitor`` section.
        loaded: The model that learns.
        learner: Its task knows how a prompt becomes tokens.
        dataset: Its held-out rows ask where the section names no prompts.
        folder: The run's work folder; gets ``samples.jsonl``.
        step: The step that the run goes on from; answers of later steps are made again.

    Raises:
        StoreError: The file cannot be written.
    """

    def __init__(
        self, section: MonitorSection, loaded: Loaded, learner: Learner, *, dataset: Dataset, folder: Path, step: int
    ) -> None:
        self.loaded, self.precision = loaded, learner.precision
        self._task = learner.task
        self._path = folder / FILE
        if section.sample_prompts:
            self.prompts = [self._named(prompt) for prompt in section.sample_prompts]
        else:
            self.prompts = self._held_out(dataset, int(section.samples))
        if self.prompts:
            kept = [row for row in jsonl.read(self._path, dict[str, Any]) if step and row["step"] <= step]
            with writing(folder):
                jsonl.write(self._path, kept)

    def take(self, step: int) -> dict[str, float]:
        """Let the model answer, and keep the answers.

        Args:
            step: The step that was evaluated.

        Returns:
            The share of answers that the model ended itself, where it writes.

        Raises:
            StoreError: The answers cannot be written.
        """
        if not self.prompts:
            return {}
        with self.precision.forward():
            answers = self._answers()
        rows = [
            {"step": step, "prompt": prompt.shown, "reference": prompt.reference, "answer": text, "stopped": stopped}
            for prompt, (text, stopped) in zip(self.prompts, answers, strict=True)
        ]
        with writing(self._path.parent):
            jsonl.append(self._path, rows)
        ended = [stopped for _, stopped in answers if stopped is not None]
        return {"samples/stopped": sum(ended) / len(ended)} if ended else {}

    def _answers(self) -> list[tuple[str, bool | None]]:
        if self._task.choices:
            asked = [prompt.question for prompt in self.prompts if prompt.question]
            length = context_length(self.loaded) or 1 << 20
            return [(answer, None) for answer in self._task.choose(self.loaded, asked, length)]
        requests = [Request(prompt.ids, max_new_tokens=LONGEST) for prompt in self.prompts]
        return [(answer.text, answer.finish == "stop") for answer in generate(self.loaded, requests)]

    def _named(self, prompt: str) -> Prompt:
        """A prompt of the recipe."""
        if self._task.choices:
            return Prompt(prompt, (), None, self._question(Labeled(prompt, self._task.choices[0])))
        question = self._question(Chat((Message("user", prompt), Message("assistant", "."))))
        ids = question.prompt if question else tuple(self.loaded.tokenizer.open_ids(prompt))
        length = context_length(self.loaded)
        return Prompt(prompt, ids if length is None else ids[-(length - 1) :])

    def _held_out(self, dataset: Dataset, count: int) -> list[Prompt]:
        """Questions of held-out rows whose answers are short enough for a model to come to their end."""
        found: list[Prompt] = []
        length = context_length(self.loaded)
        for record in islice(dataset.records("validation") if count else (), LOOKED_AT):
            question = self._task.question(record, self.loaded.tokenizer)
            if question and (self._task.choices or self._short(question, length)):
                found.append(Prompt(question.shown, question.prompt, question.reference, question))
            if len(found) == count:
                break
        return found

    def _short(self, question: Question, length: int | None) -> bool:
        """Whether an answer like the right one, or twice as long, fits behind the question."""
        if length is not None and len(question.prompt) + LONGEST > length:
            return False
        return len(self.loaded.tokenizer.text_ids(question.reference)) <= LONGEST // 2

    def _question(self, content: Content) -> Question | None:
        return self._task.question(Record.of(content, origin="monitor.sample_prompts"), self.loaded.tokenizer)
