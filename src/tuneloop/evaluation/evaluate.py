"""The evaluation stage: a model and a dataset in, a report out.

Both models, tuned and base, see exactly the same: the loss on all rows of the split, then the same questions,
rendered as the server would render them. Other models' reports on the same rows are laid beside them row by row.
The files of the report are made from one value, ``report.json``.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from tuneloop.errors import DataError
from tuneloop.evaluation import background, page, regression, summary
from tuneloop.evaluation.answers import Answered, Said, answer, questions
from tuneloop.evaluation.given import Given
from tuneloop.evaluation.groups import size
from tuneloop.evaluation.judging.judge import Judge, Sitting
from tuneloop.evaluation.loss import held_out, said_before
from tuneloop.evaluation.metrics import Metric
from tuneloop.evaluation.regression import Kept
from tuneloop.evaluation.section import EvaluateSection
from tuneloop.evaluation.shown import ANSWERS, LOSSES, RowLoss, Shown
from tuneloop.evaluation.subject import Measured, Subject
from tuneloop.evaluation.summary import Outcome
from tuneloop.monitoring.progress import Progress, Silent
from tuneloop.parts import find
from tuneloop.rows import Record, jsonl
from tuneloop.store import Dataset, Model, Report, Run, Store
from tuneloop.tasks import Question, Task

if TYPE_CHECKING:
    import torch

    from tuneloop.models import Loaded

JUDGED = "judged.jsonl"


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
    given: Given | None = None,
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
        given: Other models' reports, rows that must stay right, and where files are.
        progress: Told how far the work is.

    Returns:
        The report.

    Raises:
        DataError: The split has no rows, or none with a token to predict; the judge or a benchmark is not there.
        ModelError: The model cannot be opened, or its loss is not a number.
        StoreError: The report cannot be written.
    """
    from tuneloop.models import open_model

    progress = progress or Silent()
    if run is None and "run" in model.parents:
        run = store.get(Run, model.parents["run"])
    task = task.fitted(dataset.records("train"), model.facts)
    subject = Subject(_suited(section, task), name, model, dataset, task, run, seed, given or Given())
    if known := store.find(Report, subject.key):
        return known
    begin = time.monotonic()
    judge = _judge(subject, store)
    records = _records(subject)
    reference = _reference(records, subject, store, progress)
    measured: dict[str, Measured] = {}
    for side in ("base", "tuned") if subject.section.baseline else ("tuned",):
        loaded = open_model(model, store, adapter=side == "tuned")
        measured[side] = _measure(side, loaded, reference, records, subject, progress)
        del loaded
    return _seal(subject, measured, records, judge, store, progress, begin)


def _suited(section: EvaluateSection, task: Task) -> EvaluateSection:
    """The section as the task can have it: labels need a score of labels, and a base has no head to choose one."""
    if not task.choices:
        return section
    usual = section.metrics == EvaluateSection().metrics
    metrics = [find(Metric, "accuracy")()] if usual else section.metrics
    return section.model_copy(update={"metrics": metrics, "baseline": False})


def _judge(subject: Subject, store: Store) -> Judge | None:
    """The judge, who must be there before anything long begins."""
    section = subject.section.judge
    if section is None:
        return None
    if not subject.section.metrics:
        raise DataError(
            "without metrics nothing is answered that could be judged",
            where="evaluate.judge",
            fix="name a metric, or leave judge out",
        )
    if section.way == "pairs":
        judged_against(subject)
    judge = Judge(section, store.root / "cache", subject.seed)
    judge.reach()
    return judge


def judged_against(subject: Subject) -> str:
    """Whose answers the tuned ones are compared with by the judge: the base, where there is no champion yet.

    Raises:
        DataError: There are no such answers.
    """
    wanted = subject.section.judge.against if subject.section.judge else ""
    known = [*(["base"] if subject.section.baseline else []), *subject.given.against]
    if wanted in known or (wanted == "champion" and "base" in known):
        return wanted if wanted in known else "base"
    raise DataError(
        f"there are no answers of {wanted!r} to compare with",
        where="evaluate.judge.against",
        fix=f"compare with {' or '.join(known) or 'no other model: way: grades'}",
    )


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
    return said_before(loaded, records, subject.task, background.trained_length(subject.run, loaded), progress)


def _measure(
    side: str,
    loaded: Loaded,
    reference: list[torch.Tensor] | None,
    records: Sequence[Record],
    subject: Subject,
    progress: Progress,
) -> Measured:
    section, task = subject.section, subject.task
    length = background.trained_length(subject.run, loaded)
    what = f"measuring the loss of the {side} model"
    loss = held_out(loaded, records, task, length, progress, what, reference)
    limit = len(records) if task.choices else section.limit
    asked, too_long = questions(records, task, loaded, limit) if section.metrics else ([], 0)
    begin = time.monotonic()
    answers, sure = _answers(side, loaded, asked, subject, length, progress)
    seconds = time.monotonic() - begin
    kept: list[Kept] = []
    if side == "tuned":
        again = regression.questions_of(subject.given, task, loaded)
        kept = regression.kept(section, again, _answers(side, loaded, again, subject, length, progress)[0])
    device = str(loaded.device)
    found = []
    for benchmark in section.benchmarks:  # the last thing asked of a model: they may merge its adapter
        progress.start(f"asking the {side} model the benchmarks of {benchmark.name}")
        found += benchmark.run(loaded, subject.given.folder, subject.seed)
    return Measured(loss, asked, answers, too_long, device, sure, seconds, found, kept)


def _answers(
    side: str, loaded: Loaded, asked: Sequence[Question], subject: Subject, length: int, progress: Progress
) -> tuple[list[Said], list[float]]:
    """What a model says, and of labels how probable it holds them."""
    if not asked:
        return [], []
    task = subject.task
    progress.start(f"asking the {side} model", len(asked))
    if not task.choices:
        return answer(loaded, asked, subject.section, subject.seed, progress), []
    chances = task.chances(loaded, asked, length)
    if not chances:
        return [Said(label, "stop") for label in task.choose(loaded, asked, length)], []
    best = [max(range(len(row)), key=row.__getitem__) for row in chances]
    labels = [Said(task.choices[at], "stop") for at in best]
    return labels, [row[at] for row, at in zip(chances, best, strict=True)]


def _seal(
    subject: Subject,
    measured: dict[str, Measured],
    records: Sequence[Record],
    judge: Judge | None,
    store: Store,
    progress: Progress,
    begin: float,
) -> Report:
    others = {name: Shown.of_report(report) for name, report in subject.given.against.items()}
    answered = _score(subject.section, measured, others)
    losses = _losses(measured, records, others)
    sitting = _sit(judge, subject, answered, progress) if judge else Sitting({}, [])
    kept = measured["tuned"].kept
    became = regression.against(kept, subject.given)
    told = summary.summarise(subject, Outcome(measured, answered, losses, sitting.summary, became), store)
    facts: dict[str, Any] = {"verdict": told["verdict"], "name": subject.name, "split": subject.section.split}
    facts |= {side: {figure: score["mean"] for figure, score in told["scores"][side].items()} for side in measured}
    facts["speed"] = {side: one.speed for side, one in measured.items() if one.speed}
    if judge:
        facts["judge"] = judge.cost
    with store.draft() as folder:
        (folder / "report.json").write_bytes(msgspec.json.format(msgspec.json.encode(told), indent=2))
        (folder / "report.html").write_text(page.render(told), encoding="utf-8")
        for name, rows in ((ANSWERS, answered), (LOSSES, losses), (JUDGED, sitting.rows), (regression.FILE, kept)):
            if rows or name == ANSWERS:
                jsonl.write(folder / name, rows)
        facts["seconds"] = time.monotonic() - begin
        return store.seal(Report, folder, parents=subject.parents, key=subject.key, facts=facts)


def _sit(judge: Judge, subject: Subject, answered: Sequence[Answered], progress: Progress) -> Sitting:
    sides = ("base", "tuned") if subject.section.baseline else ("tuned",)
    if judge.section.way == "pairs":
        sides = (judged_against(subject), "tuned")
    return judge.sit(answered, sides, progress)


def _score(section: EvaluateSection, measured: dict[str, Measured], others: Mapping[str, Shown]) -> list[Answered]:
    tuned = measured["tuned"]
    references = [question.reference for question in tuned.asked]
    scores: dict[str, list[dict[str, float]]] = {}
    for side, one in measured.items():
        texts = [said.text for said in one.answers]
        columns = {metric.name: metric.score(texts, references) for metric in section.metrics}
        scores[side] = [{name: column[row] for name, column in columns.items()} for row in range(len(texts))]
    base = measured.get("base")
    answered = []
    for row, question in enumerate(tuned.asked):
        record = question.record
        there = {name: shown for name, shown in others.items() if record.id in shown.answers}
        mine = {side: rows[row] for side, rows in scores.items()}
        answered.append(
            Answered(
                record=record.id,
                origin=record.origin,
                prompt=question.shown,
                reference=question.reference,
                tuned=tuned.answers[row].text,
                base=base.answers[row].text if base else "",
                scores=mine | {name: dict(shown.scores[record.id]) for name, shown in there.items()},
                finish={side: one.answers[row].finish for side, one in measured.items()},
                others={name: shown.answers[record.id] for name, shown in there.items()},
                sure={side: one.sure[row] for side, one in measured.items() if one.sure},
                size=size(record),
            )
        )
    return answered


def _losses(measured: dict[str, Measured], records: Sequence[Record], others: Mapping[str, Shown]) -> list[RowLoss]:
    """The losses of single rows, of all models that know them."""
    known = {side: one.held_out.each for side, one in measured.items()}
    known |= {name: dict(shown.losses) for name, shown in others.items()}
    return [
        RowLoss(
            record=record.id,
            origin=record.origin,
            size=size(record),
            loss={side: each[record.id][0] for side, each in known.items() if record.id in each},
            terms={side: each[record.id][1] for side, each in known.items() if record.id in each},
        )
        for record in records
        if record.id in known["tuned"]
    ]
