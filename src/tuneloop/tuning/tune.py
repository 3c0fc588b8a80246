"""The stage that searches: a space of changes and a score function in, a Study out.

::

    journal ─replay─▶ trials ─search.propose─▶ order ─▶ worker: train, measure ─▶ outcome ─▶ journal
                         ▲                                                                     │
                         └─────────────────────────────────────────────────────────────────────┘

Everything follows from the journal: a search that was killed at any moment reads it again, gives the orders out that
had no outcome, and goes on. A finished trial is never trained again.
"""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from tuneloop import errors
from tuneloop.errors import TrainingError, TuneloopError
from tuneloop.monitoring.progress import Progress
from tuneloop.rows import jsonl
from tuneloop.store import Model, Store, Study
from tuneloop.store.disk import writing
from tuneloop.store.gc import clear_work, discard
from tuneloop.tuning.runners import Crew, Place, Score
from tuneloop.tuning.searches import Known, Proposal
from tuneloop.tuning.section import TuneSection
from tuneloop.tuning.space import Space
from tuneloop.tuning.summary import described, expected, ranked, summarise
from tuneloop.tuning.trials import Event, Order, Outcome, Trial, proposed, replay, told

JOURNAL = "trials.jsonl"
USUAL = 20
"""Trials of a search that nobody gave a number for."""


@dataclass(frozen=True)
class Task:
    """One search that is asked for.

    Attributes:
        section: The ``tune`` section.
        score: Trains a trial and says how good it is.
        context: What the score function needs besides the trial's values.
        key: Digest of everything that decides what a trial's score is, and which trials there are.
        parents: Ids of the artifacts that all trials stand on, by role.
        store: Where the work and the artifacts lie.
        seed: Seed of everything random.
        progress: Shows how far it is.
    """

    section: TuneSection
    score: Score
    context: dict[str, Any]
    key: str
    parents: dict[str, str]
    store: Store
    seed: int
    progress: Progress

    @property
    def space(self) -> Space:
        """What is varied."""
        return Space(self.section.space)

    @property
    def most(self) -> int:
        """Trials at most."""
        search = self.section.search
        return self.section.trials or (self.space.size() if search.exhaustive else USUAL)


def tune(task: Task) -> Study:
    """Search, or go on with a search that was stopped; one that was done is found.

    Returns:
        The study, with the journal of all trials, their summary and pictures.

    Raises:
        RecipeError: The space is empty, or no training records what is to be compared.
        TrainingError: Every trial failed.
        MissingPackage: The search or the runner needs a package that is not installed.
        StoreError: The disk is full, or the same search is going on in another process.
    """
    task.section.check_space()
    with task.store.work(task.key) as folder:
        before = task.store.find(Study, task.key)
        if before is not None and not (folder / JOURNAL).exists():
            with writing(folder):
                shutil.copyfile(before.folder / JOURNAL, folder / JOURNAL)
        journal = _Journal(folder / JOURNAL)
        known = len(journal.events)
        _search(task, journal, folder)
        trials = journal.trials()
        done = before is not None and len(journal.events) == known
        study = before if before is not None and done else _seal(task, journal, trials)
        for trial in trials:
            if trial.work:
                clear_work(task.store, trial.work)
    clear_work(task.store, task.key)
    return study


@dataclass
class _Journal:
    """The events of a search on disk and in memory."""

    path: Path
    events: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.events = list(jsonl.read(self.path, Event))

    def add(self, event: Event) -> None:
        with writing(self.path.parent):
            jsonl.append(self.path, [event], sync=True)
        self.events.append(event)

    def trials(self) -> list[Trial]:
        return replay(self.events)


def _search(task: Task, journal: _Journal, folder: Path) -> None:
    """Give orders as long as there are any, and take their outcomes."""
    orphans = [trial for trial in journal.trials() if trial.running]
    if not orphans and _next(task, journal.trials()) is None:
        return
    task.progress.start("tuning", task.most)
    began, made = time.monotonic(), 0.0
    with task.section.runner.open(Place(task.score, task.section.workers, folder)) as crew:
        busy = 0
        while True:
            while busy < task.section.workers and (proposal := _due(task, journal, orphans)):
                crew.give(Order(proposal.trial, proposal.values, proposal.share, task.context))
                busy += 1
            if not busy:
                break
            outcome = _taken(crew)
            busy -= 1
            before = next(trial for trial in journal.trials() if trial.number == outcome.trial)
            journal.add(told(outcome))
            made += outcome.share - max([0.0, *(share for share, _ in before.scores)])
            _forget_losers(task, journal)
            _tell(task, journal.trials(), outcome, (time.monotonic() - began) / max(made, 1e-9))


def _due(task: Task, journal: _Journal, orphans: list[Trial]) -> Proposal | None:
    """What a worker does next: first what was being trained when the search was killed, then what is proposed."""
    if orphans:
        trial = orphans.pop(0)
        return Proposal(trial.number, trial.values, trial.share)
    proposal = _next(task, journal.trials())
    if proposal is not None:
        journal.add(proposed(proposal.trial, proposal.values, proposal.share))
    return proposal


def _next(task: Task, trials: list[Trial]) -> Proposal | None:
    section = task.section
    return section.search.propose(Known(task.space, trials, task.most, section.sign, task.seed))


def _taken(crew: Crew) -> Outcome:
    """The next outcome.

    Raises:
        TuneloopError: It says that no trial can be trained.
    """
    outcome = crew.take()
    if outcome.fatal:
        kind, what, where, fix = outcome.fatal
        error: TuneloopError = getattr(errors, kind, TrainingError)(what, where=where, fix=fix)
        raise error
    if outcome.score is not None and not math.isfinite(outcome.score):
        failure = f"its {outcome.score} is no figure to compare"
        return msgspec.structs.replace(outcome, score=None, failure=failure)
    return outcome


def _forget_losers(task: Task, journal: _Journal) -> None:
    """Remove the models that this search made and that are not among the best: their runs tell all there is to know."""
    began = journal.events[0].when
    for trial in ranked(journal.trials(), task.section.sign)[task.section.keep :]:
        if trial.model and (task.store.root / "artifacts" / trial.model).exists():
            discard(task.store, trial.model, since=began)


def _tell(task: Task, trials: list[Trial], outcome: Outcome, seconds: float) -> None:
    """Say how a trial went, what is best so far, and how long it may take."""
    best = next(iter(ranked(trials, task.section.sign)), None)
    done = sum(not trial.running or bool(trial.scores) for trial in trials)
    left = expected(task.section.search.rungs(), task.most) - sum(
        max([0.0, *(share for share, _ in trial.scores)]) if not trial.ended else 1.0 for trial in trials
    )
    went = outcome.failure or f"{task.section.metric} {outcome.score:.5g}" + (
        "" if outcome.ended else f" after {outcome.share:.0%}"
    )
    values = described(trials[outcome.trial].values)
    about = f", about {max(0.0, left * seconds) / 60:.0f} min left" if left * seconds > 60 else ""
    lead = f"; best {best.score:.5g} (trial {best.number})" if best is not None else ""
    task.progress.note(f"trial {outcome.trial}: {went}  {values}{lead}{about}")
    task.progress.advance(done, {"best": best.score} if best is not None and best.score is not None else None)


def _seal(task: Task, journal: _Journal, trials: list[Trial]) -> Study:
    """Make the study of a search that is over.

    Raises:
        TrainingError: Every trial failed.
    """
    order = ranked(trials, task.section.sign)
    if not order:
        journal.path.unlink()  # so that another try trains them anew
        reasons = list(dict.fromkeys(trial.failure for trial in trials))
        raise TrainingError(
            f"all of {len(trials)} trials failed: {'; '.join(reasons[:3])}",
            where=str(journal.path),
            fix="train one of them alone to see why, change tune.space, then search again",
        )
    runs = {f"trial-{trial.number:03d}": trial.run for trial in trials if trial.run}
    best = {"run": order[0].run, "model": order[0].model} if order[0].model else {}
    told_of = summarise(task.section, trials)
    with task.store.draft() as folder:
        shutil.copyfile(journal.path, folder / JOURNAL)
        (folder / "study.json").write_bytes(msgspec.json.format(msgspec.json.encode(told_of), indent=2) + b"\n")
        _draw(folder, task, trials)
        facts = {
            "trials": len(trials),
            "failed": sum(bool(trial.failure) for trial in trials),
            "metric": task.section.metric,
            "best": order[0].score,
            "changes": told_of["best"]["changes"],
        }
        return task.store.seal(
            Study, folder, parents=_held(task, {**task.parents, **runs, **best}), key=task.key, facts=facts
        )


def _draw(folder: Path, task: Task, trials: list[Trial]) -> None:
    from tuneloop.tuning.pictures import pictures

    for name, picture in pictures(trials, task.section):
        (folder / f"{name}.png").write_bytes(picture)


def _held(task: Task, parents: dict[str, str]) -> dict[str, str]:
    """The parents that are in the store: what a trial left may have been removed since."""
    there: Iterable[str] = (role for role, id in parents.items() if (task.store.root / "artifacts" / id).exists())
    return {role: parents[role] for role in there}


__all__ = ["JOURNAL", "Model", "Task", "tune"]
