"""The stage that trains: a dataset and a base in, a Run and a Model out.

What surrounds the loop is here: finding work that is done, encoding the rows, making weights and optimizer ready,
going on from the newest good checkpoint, taking the receipts and sealing the two artifacts.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import yaml

from tuneloop.errors import TrainingError
from tuneloop.models import Base, Loaded, save_model
from tuneloop.models.section import ModelSection
from tuneloop.monitoring.progress import Progress, Silent
from tuneloop.monitoring.recorder import Unrecorded
from tuneloop.monitoring.section import MonitorSection
from tuneloop.rows import jsonl
from tuneloop.store import Dataset, Model, Run, Store, seal
from tuneloop.store.gc import clear_work
from tuneloop.store.kinds import ENCODERS
from tuneloop.tasks import Task
from tuneloop.training import loop
from tuneloop.training.card import card
from tuneloop.training.checkpoints import Checkpoints
from tuneloop.training.continuing import describe, hint, key_of, planned, take_over
from tuneloop.training.environment import environment
from tuneloop.training.interrupt import Paused, listening
from tuneloop.training.job import Job
from tuneloop.training.lookout import KEPT, watching
from tuneloop.training.machine import goes_on, settle
from tuneloop.training.processes.launch import launch
from tuneloop.training.processes.ranks import Ranks, joined, started
from tuneloop.training.randomness import own_randomness, part_ways
from tuneloop.training.ready import open_to_learn, ready
from tuneloop.training.receipts import Before, receipts
from tuneloop.training.section import TrainSection
from tuneloop.training.signals import Details
from tuneloop.training.state import State
from tuneloop.training.threads import own_threads


def train(
    section: TrainSection,
    *,
    task: Task,
    model: ModelSection,
    base: Base,
    dataset: Dataset,
    monitor: MonitorSection,
    store: Store,
    seed: int,
    recipe: dict[str, Any],
    start: Model | None = None,
    others: Mapping[str, Base] | None = None,
    continue_from: str | None = None,
    pause: float | None = None,
    progress: Progress | None = None,
) -> tuple[Run, Model]:
    """Train, or find what was trained before from the same things; go on where an earlier attempt stopped.

    Args:
        section: The ``train`` section.
        task: What is learned.
        model: The ``model`` section.
        base: The base model that it names.
        dataset: Rows to learn from, and to be measured on.
        monitor: The ``monitor`` section.
        store: Where the artifacts and the work in progress lie.
        seed: Seed of everything random.
        recipe: The resolved recipe, kept with the run.
        start: A tuned model to go on from, instead of the base alone.
        others: Other models that the task learns with, by their role.
        continue_from: A stopped run with other options for its steps that this one goes on from: ``latest``, or the
            beginning of the name of its work folder.
        pause: Share of the steps after which it pauses with its state saved, to go on another time as if it had not.
        progress: Shows how far it is.

    Returns:
        The run, and the model with the lowest held-out loss (the last one where there is no validation split).

    Raises:
        TrainingError: There is nothing to learn, an option cannot act, or a loss is not finite.
        StoreError: The disk is full or not writable; the last checkpoint is kept.
        Stopped: SIGTERM or Ctrl-C; the state is saved.
        Paused: It came to where it is to pause; the state is saved.
    """
    former = key_of(store, continue_from) if continue_from else ""
    job = Job(section, task, model, base, dataset, monitor, store, seed, recipe, start, others or {}, former, pause)
    return carry_out(job, progress or Silent())


def carry_out(job: Job, progress: Progress) -> tuple[Run, Model]:
    """Train in this process, in several that it starts, or together with those that were started with it.

    Args:
        job: What is asked for.
        progress: Shows how far it is.

    Raises:
        TuneloopError: As :func:`train`.
    """
    if started():
        with joined() as ranks:
            made = job.done()
            ranks.tell(b"" if made else job.to_json())
            return made or train_with(ranks, job, progress)
    made = job.done()
    if made:
        return made
    return launch(job, progress) if job.train.devices > 1 else train_with(Ranks(), job, progress)


def follow() -> None:
    """Take part in the job that rank 0 of the processes that were started together carries out.

    Raises:
        TuneloopError: As :func:`train`.
    """
    with joined() as ranks:
        told = ranks.tell(b"")
        if told:
            train_with(ranks, Job.of_json(told), Silent())


def train_with(ranks: Ranks, job: Job, progress: Progress) -> tuple[Run, Model]:
    """Train as one of some processes, which all call this; the first writes everything.

    Args:
        ranks: The processes.
        job: What is asked for.
        progress: Shows how far it is.

    Returns:
        The same artifacts on every process.

    Raises:
        TuneloopError: As :func:`train`.
    """
    _can_share(job, ranks)
    task = job.task.fitted(job.dataset.records("train"), job.start.facts if job.start else None)
    made: dict[str, str] = {}
    with _work(job, ranks) as folder, own_randomness(job.seed), own_threads():
        loaded = open_to_learn(job.train, task, job.model, job.base, job.store, job.seed, job.start)
        learner = ready(
            job.train,
            loaded,
            task,
            job.dataset,
            job.monitor,
            job.store,
            job.seed,
            progress,
            job.others,
            ranks,
        )
        if job.continues and ranks.first:
            take_over(job, folder)
        learner = settle(learner, folder)
        if ranks.first:
            _describe(job, learner, folder, progress)
        before = Before.of(learner)
        part_ways(job.seed, ranks.rank)
        with job.train.parallel.spread(learner) as sharing:
            state, reason = _learn(sharing, loaded, job, folder, progress)
        proof = receipts(replace(sharing, plan=learner.plan.later(state.shift)), before, state, reason=reason)
        if ranks.first:
            _write_json(folder / "receipts.json", proof)
            run = _seal_run(folder, job, proof, state)
            tuned = _seal_model(loaded, task, job, run, proof, state)
            made = {"run": run.id, "model": tuned.id}
    made = msgspec.json.decode(ranks.tell(msgspec.json.encode(made)), type=dict[str, str])
    if ranks.first:
        for key in filter(None, (job.key, job.continues)):
            clear_work(job.store, key)
    return job.store.get(Run, made["run"]), job.store.get(Model, made["model"])


def _can_share(job: Job, ranks: Ranks) -> None:
    """Refuse what the processes that there are cannot do together."""
    if job.train.devices not in (1, ranks.count):
        raise TrainingError(
            f"train.devices is {job.train.devices}, but {ranks.count} processes were started",
            where="train.devices",
            fix="leave devices out where torchrun starts the processes, or start with --devices alone",
        )
    if job.train.parallel.in_step and job.monitor.sample_prompts:
        raise TrainingError(
            f"with {job.train.parallel.name} no process has the whole model to answer sample prompts between steps",
            where="monitor.sample_prompts",
            fix="take sample_prompts out, or write parallel: ddp",
        )


@contextmanager
def _work(job: Job, ranks: Ranks) -> Iterator[Path]:
    """The work folder, held by the first process."""
    if not ranks.first:
        yield job.store.root / "work" / job.key[:20]
        return
    with job.store.work(job.key) as folder:
        yield folder


def _describe(job: Job, learner: loop.Learner, folder: Path, progress: Progress) -> None:
    """Write what the run begins with: its recipe, its environment, and what became of the rows."""
    seal.replace(folder / "recipe.yaml", yaml.safe_dump(job.recipe, sort_keys=False, allow_unicode=True).encode())
    _write_json(folder / "environment.json", environment(learner.precision.device))
    describe(job, folder)
    if told := hint(job, folder):
        progress.note(told)
    splits = {"train": learner.train, "validation": learner.validation}
    accounts = {split: rows.account() for split, rows in splits.items()}
    _write_json(folder / "rows.json", accounts)
    drops = [{"split": split, **msgspec.to_builtins(drop)} for split, rows in splits.items() for drop in rows.dropped]
    seal.replace(folder / "dropped.jsonl", b"".join(map(jsonl.line, drops)))
    _tell_dropped(accounts, progress)
    if not len(learner.validation):
        progress.note(
            "no rows are held out: nothing is measured on rows that were not learned, nothing stops it early, and the "
            "last weights are kept; data.split.validation=0.1 holds some out"
        )


def _learn(learner: loop.Learner, loaded: Loaded, job: Job, folder: Path, progress: Progress) -> tuple[State, str]:
    """Run the loop from the newest good checkpoint, and leave the best weights in the model.

    Raises:
        Paused: It came to where it is to pause.
    """
    checkpoints = Checkpoints(
        folder / "checkpoints",
        model=learner.model,
        optimizer=learner.optimizer,
        scaler=learner.precision.scaler,
        limit=learner.section.checkpoints.save_total_limit,
        progress=progress,
        ranks=learner.ranks,
    )
    state = checkpoints.resume()
    if state:
        learner = goes_on(replace(learner, plan=planned(learner, state)), state)
        progress.note(f"going on after step {state.step} of {learner.plan.steps}")
    state = state or State(size=learner.section.batch.size, room=learner.room)
    state.goes_on(learner.ranks.count)
    learner = replace(learner, details=Details.of(learner, loaded.tokenizer) if job.monitor.details else None)
    with listening(job.pause) as asked:
        beside: dict[str, Any] = {"checkpoints": checkpoints, "asked": asked, "progress": progress}
        if learner.ranks.first:
            with watching(learner, loaded, job, folder, state) as (recorder, look):
                reason = loop.run(learner, state, recorder=recorder, look=look, **beside)
        else:
            reason = loop.run(learner, state, recorder=Unrecorded(), look=lambda *_: None, **beside)
    if reason == "pause":
        raise Paused(state.step, learner.plan.steps, folder)
    if state.best and state.best[0] != state.step:
        checkpoints.load_weights(state.best[0])
    return state, reason


def _seal_run(folder: Path, job: Job, proof: dict[str, Any], state: State) -> Run:
    names = ["recipe.yaml", "signals.jsonl", "findings.jsonl", "environment.json", "receipts.json"]
    names += ["rows.json", "dropped.jsonl"]
    names += [name for name in KEPT if (folder / name).exists()]
    facts = {
        "steps": state.step,
        "ended": proof["ended"],
        "best_step": proof["best_step"],
        "validation_loss": state.best[1] if state.best else None,
        "trained": proof["weights"]["trained"],
        "precision": proof["precision"]["used"],
        "continues": job.continues or None,
    }
    with job.store.draft() as draft:
        for name in names:
            shutil.copyfile(folder / name, draft / name)
        return job.store.seal(Run, draft, parents=job.parents, key=job.key, facts=facts)


def _seal_model(loaded: Loaded, task: Task, job: Job, run: Run, proof: dict[str, Any], state: State) -> Model:
    parents = {**job.parents, "run": run.id}
    with job.store.draft() as draft:
        facts = save_model(loaded, draft / "model")
        facts |= {"task": task.spelled(), "validation_loss": state.best[1] if state.best else None}
        _write_json(draft / "model.json", facts)
        (draft / "card.md").write_text(card(facts, parents, state, proof), encoding="utf-8")
        if (job.dataset.folder / ENCODERS).exists():
            shutil.copyfile(job.dataset.folder / ENCODERS, draft / ENCODERS)
        return job.store.seal(Model, draft, parents=parents, key=job.key, facts=facts)


def _tell_dropped(accounts: dict[str, dict[str, Any]], progress: Progress) -> None:
    for split, account in accounts.items():
        if account["dropped"]:
            reasons = ", ".join(f"{count} {reason}" for reason, count in account["dropped"].items())
            progress.note(f"{split}: {account['used']} of {account['rows']} rows are learned from; left out: {reasons}")


def _write_json(path: Path, value: dict[str, Any]) -> None:
    seal.replace(path, msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n")
