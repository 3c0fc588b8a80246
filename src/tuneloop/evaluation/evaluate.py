"""The evaluation stage: a model and a dataset in, a report out.

Both models, tuned and base, see exactly the same: the loss on all rows of the split, then the same questions,
rendered as the server would render them. The files of the report are made from one value, ``report.json``.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from tuneloop.evaluation import page, summary
from tuneloop.evaluation.answers import Answered, answer, questions
from tuneloop.evaluation.loss import held_out, said_before
from tuneloop.evaluation.metrics import Metric
from tuneloop.evaluation.section import EvaluateSection
from tuneloop.evaluation.summary import Measured, Subject
from tuneloop.monitoring.progress import Progress, Silent
from tuneloop.parts import find
from tuneloop.rows import Record, jsonl
from tuneloop.store import Dataset, Model, Report, Run, Store
from tuneloop.tasks import Task

if TYPE_CHECKING:
    import torch

    from tuneloop.models import Loaded


def evaluate(
    section: EvaluateSection,
    *,
    model: Model,
    dataset: Dataset,
    task: Task,
    store: Store,
    seed: int,
    run: Run | None = None,
    name: str = "",
    progress: Progress | None = None,
) -> Report:
    """Measure a tuned model against its base on held-out rows; what was measured before is found again.

    Args:
        section: On what and how it is measured.
        model: The tuned model.
        dataset: The dataset with the split that is measured.
        task: What the model learned.
        store: Where the report goes.
        seed: Seed of the intervals and of drawn tokens.
        run: The training run, for its curves, findings and recipe; by default the run that made the model.
        name: Title of the report.
        progress: Told how far the work is.

    Returns:
        The report.

    Raises:
        DataError: The split has no rows, or none with a token to predict.
        ModelError: The model cannot be opened, or its loss is not a number.
        StoreError: The report cannot be written.
    """
    from tuneloop.models import open_model

    progress = progress or Silent()
    if run is None and "run" in model.parents:
        run = store.get(Run, model.parents["run"])
    task = task.fitted(dataset.records("train"), model.facts)
    subject = Subject(_suited(section, task), name, model, dataset, task, run, seed)
    if known := store.find(Report, subject.key):
        return known
    begin = time.monotonic()
    records = _records(subject)
    reference = _reference(records, subject, store, progress)
    measured: dict[str, Measured] = {}
    for side in ("base", "tuned") if subject.section.baseline else ("tuned",):
        loaded = open_model(model, store, adapter=side == "tuned")
        measured[side] = _measure(side, loaded, reference, records, subject, progress)
        del loaded
    return _seal(subject, measured, store, begin)


def _suited(section: EvaluateSection, task: Task) -> EvaluateSection:
    """The section as the task can have it: labels need a score of labels, and a base has no head to choose one."""
    if not task.choices:
        return section
    usual = section.metrics == EvaluateSection().metrics
    metrics = [find(Metric, "accuracy")()] if usual else section.metrics
    return section.model_copy(update={"metrics": metrics, "baseline": False})


def _records(subject: Subject) -> list[Record]:
    split, dataset = subject.section.split, subject.dataset
    dataset.need(split)
    return list(dataset.records(split))


def _reference(
    records: Sequence[Record], subject: Subject, store: Store, progress: Progress
) -> list[torch.Tensor] | None:
    """What the model that training began with says of the rows; None where the task compares with none."""
    from tuneloop.models import open_model

    if subject.task.reference() is None:
        return None
    start = subject.model.parents.get("start")
    loaded = open_model(store.get(Model, start), store) if start else open_model(subject.model, store, adapter=False)
    return said_before(loaded, records, subject.task, summary.trained_length(subject.run, loaded), progress)


def _measure(
    side: str,
    loaded: Loaded,
    reference: list[torch.Tensor] | None,
    records: Sequence[Record],
    subject: Subject,
    progress: Progress,
) -> Measured:
    section, task = subject.section, subject.task
    length = summary.trained_length(subject.run, loaded)
    what = f"measuring the loss of the {side} model"
    loss = held_out(loaded, records, task, length, progress, what, reference)
    limit = len(records) if task.choices else section.limit
    asked, too_long = questions(records, task, loaded, limit) if section.metrics else ([], 0)
    answers: list[tuple[str, str]] = []
    if asked:
        progress.start(f"asking the {side} model", len(asked))
        if task.choices:
            answers = [(label, "stop") for label in task.choose(loaded, asked, length)]
        else:
            answers = answer(loaded, asked, section, subject.seed, progress)
    return Measured(loss, asked, answers, too_long, str(loaded.device))


def _seal(subject: Subject, measured: dict[str, Measured], store: Store, begin: float) -> Report:
    answered = _score(subject.section, measured)
    told = summary.summarise(subject, measured, answered, store)
    facts = {"verdict": told["verdict"], "name": subject.name, "split": subject.section.split}
    facts |= {side: {figure: score["mean"] for figure, score in told["scores"][side].items()} for side in measured}
    with store.draft() as folder:
        (folder / "report.json").write_bytes(msgspec.json.format(msgspec.json.encode(told), indent=2))
        (folder / "report.html").write_text(page.render(told), encoding="utf-8")
        jsonl.write(folder / "answers.jsonl", answered)
        facts["seconds"] = time.monotonic() - begin
        return store.seal(Report, folder, parents=subject.parents, key=subject.key, facts=facts)


def _score(section: EvaluateSection, measured: dict[str, Measured]) -> list[Answered]:
    asked = measured["tuned"].asked
    references = [question.reference for question in asked]
    scores: dict[str, list[dict[str, float]]] = {}
    for side, one in measured.items():
        texts = [text for text, _ in one.answers]
        columns = {metric.name: metric.score(texts, references) for metric in section.metrics}
        scores[side] = [{name: column[row] for name, column in columns.items()} for row in range(len(asked))]
    base = measured.get("base")
    return [
        Answered(
            record=question.record.id,
            origin=question.record.origin,
            prompt=question.shown,
            reference=question.reference,
            tuned=measured["tuned"].answers[row][0],
            base=base.answers[row][0] if base else "",
            scores={side: rows[row] for side, rows in scores.items()},
            finish={side: one.answers[row][1] for side, one in measured.items()},
        )
        for row, question in enumerate(asked)
    ]
