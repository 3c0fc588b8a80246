"""The lookout: what is looked at beside the loss while a run goes on, findings of the checks and sample answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tuneloop.models import Loaded
from tuneloop.models.generate import Request, context_length, generate
from tuneloop.monitoring.checks import findings
from tuneloop.monitoring.history import History
from tuneloop.monitoring.progress import Progress
from tuneloop.monitoring.section import MonitorSection
from tuneloop.rows import Chat, Content, Labeled, Message, Record, jsonl
from tuneloop.store.disk import writing
from tuneloop.tasks import Question, Task
from tuneloop.training.precision import Precision

LONGEST = 128
"""Tokens of the longest sample answer."""


class Lookout:
    """Looks at a run after every evaluation.

    Args:
        section: The ``monitor`` section.
        history: The run's figures, as they come in.
        loaded: The model that learns.
        task: It knows how a prompt becomes tokens.
        precision: The arithmetic of the run.
        folder: The run's work folder; gets ``findings.jsonl`` and, where there are prompts, ``samples.jsonl``.
        step: The step that the run goes on from; samples of later steps are made again.
        progress: Told once of each new finding that is not good.
    """

    def __init__(
        self,
        section: MonitorSection,
        history: History,
        *,
        loaded: Loaded,
        task: Task,
        precision: Precision,
        folder: Path,
        step: int,
        progress: Progress,
    ) -> None:
        self.section = section
        self.history = history
        self.loaded = loaded
        self.precision = precision
        self.folder = folder
        self.progress = progress
        self._told: set[str] = set()
        self._task = task
        self._samples = folder / "samples.jsonl"
        if section.sample_prompts:
            kept = [row for row in jsonl.read(self._samples, dict[str, Any]) if row["step"] <= step]
            with writing(folder):
                jsonl.write(self._samples, kept)

    def look(self, step: int) -> None:
        """Run the checks, tell what is new, and let the model answer the sample prompts.

        Raises:
            StoreError: The samples cannot be written.
        """
        for finding in findings(self.section.checks, self.history):
            if finding.severity in ("warning", "error") and finding.check not in self._told:
                self._told.add(finding.check)
                self.progress.note(f"{finding.check}: {finding.evidence}; {finding.advice}")
        if self.section.sample_prompts:
            with self.precision.forward():
                answers = self._answers()
            pairs = zip(self.section.sample_prompts, answers, strict=True)
            rows = [{"step": step, "prompt": prompt, "answer": answer} for prompt, answer in pairs]
            with writing(self.folder):
                jsonl.append(self._samples, rows)

    def close(self) -> None:
        """Write what the checks see at the end.

        Raises:
            StoreError: It cannot be written.
        """
        with writing(self.folder):
            jsonl.write(self.folder / "findings.jsonl", findings(self.section.checks, self.history))

    def _answers(self) -> list[str]:
        length, prompts = context_length(self.loaded), self.section.sample_prompts
        if self._task.choices:
            asked = [self._question(Labeled(prompt, self._task.choices[0])) for prompt in prompts]
            return self._task.choose(self.loaded, [one for one in asked if one], length or 1 << 20)
        return [answer.text for answer in generate(self.loaded, [self._request(prompt) for prompt in prompts])]

    def _question(self, content: Content) -> Question | None:
        return self._task.question(Record.of(content, origin="monitor.sample_prompts"), self.loaded.tokenizer)

    def _request(self, prompt: str) -> Request:
        question = self._question(Chat((Message("user", prompt), Message("assistant", "."))))
        ids = question.prompt if question else tuple(self.loaded.tokenizer.open_ids(prompt))
        length = context_length(self.loaded)
        return Request(ids if length is None else ids[-(length - 1) :], max_new_tokens=LONGEST)
