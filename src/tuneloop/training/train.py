"""The stage that trains: a dataset and a base in, a Run and a Model out.

What surrounds the loop is here: finding work that is done, encoding the rows, making weights and optimizer ready,
going on from the newest good checkpoint, taking the receipts and sealing the two artifacts.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import msgspec
import yaml

from tuneloop.models import Base, Loaded, save_model
from tuneloop.models.section import ModelSection
from tuneloop.monitoring.progress import Progress, Silent
from tuneloop.monitoring.recorder import Recorder
from tuneloop.monitoring.section import MonitorSection
from tuneloop.store import Dataset, Model, Run, Store
from tuneloop.store.digest import of_value
from tuneloop.store.gc import clear_work
from tuneloop.store.seal import replace
from tuneloop.tasks import Task
from tuneloop.training import loop
from tuneloop.training.card import card
from tuneloop.training.checkpoints import Checkpoints
from tuneloop.training.environment import environment
from tuneloop.training.interrupt import listening
from tuneloop.training.lookout import Lookout
from tuneloop.training.randomness import own_randomness
from tuneloop.training.ready import open_to_learn, ready
from tuneloop.training.receipts import Before, receipts
from tuneloop.training.section import TrainSection
from tuneloop.training.state import State


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
        progress: Shows how far it is.

    Returns:
        The run, and the model with the lowest held-out loss (the last one where there is no validation split).

    Raises:
        TrainingError: There is nothing to learn, an option cannot act, or a loss is not finite.
        StoreError: The disk is full or not writable; the last checkpoint is kept.
        Stopped: SIGTERM or Ctrl-C; the state is saved.
    """
    progress = progress or Silent()
    key = run_key(section, task=task, model=model, base=base, dataset=dataset, seed=seed, start=start)
    done = store.find(Model, key)
    if done is not None:
        return store.get(Run, done.parents["run"]), done
    parents = _parents(dataset, start, base)
    with store.work(key) as folder, own_randomness(seed):
        loaded = open_to_learn(section, task, model, base, store, seed, start)
        learner = ready(section, loaded, task, dataset, monitor, store, seed, progress)
        replace(folder / "recipe.yaml", yaml.safe_dump(recipe, sort_keys=False, allow_unicode=True).encode())
        _write_json(folder / "environment.json", environment(learner.precision.device))
        accounts = {"train": learner.train.account(), "validation": learner.validation.account()}
        _write_json(folder / "rows.json", accounts)
        _tell_dropped(accounts, progress)
        before = Before.of(loaded.model)
        state, reason = _learn(learner, loaded, monitor, folder, progress)
        proof = receipts(learner, before, state, reason=reason)
        _write_json(folder / "receipts.json", proof)
        run = _seal_run(folder, store, parents, key, proof, state)
        tuned = _seal_model(loaded, task, store, {**parents, "run": run.id}, key, state)
    clear_work(store, key)
    return run, tuned


def _parents(dataset: Dataset, start: Model | None, base: Base) -> dict[str, str]:
    roles = {"dataset": dataset, "start": start, "base": base.artifact}
    return {role: artifact.id for role, artifact in roles.items() if artifact is not None}


def run_key(
    section: TrainSection,
    *,
    task: Task,
    model: ModelSection,
    base: Base,
    dataset: Dataset,
    seed: int,
    start: Model | None = None,
) -> str:
    """Digest of everything that decides what comes out of a training; its work folder is named by it."""
    return of_value(
        {
            "dataset": dataset.id,
            "base": base.digest,
            "start": start.id if start else None,
            "model": model.model_dump(mode="json"),
            "task": task.spelled(),
            "train": section.model_dump(mode="json"),
            "seed": seed,
        }
    )


def _learn(
    learner: loop.Learner, loaded: Loaded, monitor: MonitorSection, folder: Path, progress: Progress
) -> tuple[State, str]:
    """Run the loop from the newest good checkpoint, and leave the best weights in the model."""
    checkpoints = Checkpoints(
        folder / "checkpoints",
        model=learner.model,
        optimizer=learner.optimizer,
        scaler=learner.precision.scaler,
        limit=learner.section.checkpoints.save_total_limit,
        progress=progress,
    )
    state = checkpoints.resume()
    if state:
        progress.note(f"going on after step {state.step} of {learner.plan.steps}")
    state = state or State()
    with Recorder(folder / "signals.jsonl", keep=state.signals) as recorder, listening() as asked:
        recorder.history.optimizer = learner.section.optimizer.name
        lookout = Lookout(
            monitor,
            recorder.history,
            loaded=loaded,
            task=learner.task,
            precision=learner.precision,
            folder=folder,
            step=state.step,
            progress=progress,
        )
        try:
            reason = loop.run(
                learner,
                state,
                checkpoints=checkpoints,
                recorder=recorder,
                look=lookout.look,
                asked=asked,
                progress=progress,
            )
        finally:
            lookout.close()
    if state.best and state.best[0] != state.step:
        checkpoints.load_weights(state.best[0])
    return state, reason


def _seal_run(
    folder: Path, store: Store, parents: dict[str, str], key: str, proof: dict[str, Any], state: State
) -> Run:
    names = ["recipe.yaml", "signals.jsonl", "findings.jsonl", "environment.json", "receipts.json", "rows.json"]
    names += ["samples.jsonl"] if (folder / "samples.jsonl").exists() else []
    facts = {
        "steps": state.step,
        "ended": proof["ended"],
        "best_step": proof["best_step"],
        "validation_loss": state.best[1] if state.best else None,
        "trained": proof["weights"]["trained"],
        "precision": proof["precision"]["used"],
    }
    with store.draft() as draft:
        for name in names:
            shutil.copyfile(folder / name, draft / name)
        return store.seal(Run, draft, parents=parents, key=key, facts=facts)


def _seal_model(loaded: Loaded, task: Task, store: Store, parents: dict[str, str], key: str, state: State) -> Model:
    with store.draft() as draft:
        facts = save_model(loaded, draft / "model")
        facts |= {"task": task.spelled(), "validation_loss": state.best[1] if state.best else None}
        _write_json(draft / "model.json", facts)
        (draft / "card.md").write_text(card(facts, parents, state), encoding="utf-8")
        return store.seal(Model, draft, parents=parents, key=key, facts=facts)


def _tell_dropped(accounts: dict[str, dict[str, Any]], progress: Progress) -> None:
    for split, account in accounts.items():
        if account["dropped"]:
            reasons = ", ".join(f"{count} {reason}" for reason, count in account["dropped"].items())
            progress.note(f"{split}: {account['used']} of {account['rows']} rows are learned from; left out: {reasons}")


def _write_json(path: Path, value: dict[str, Any]) -> None:
    replace(path, msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n")
