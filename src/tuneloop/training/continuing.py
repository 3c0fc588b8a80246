"""Continuing: a run that was stopped goes on with other steps, such as larger batches, from the row that it came to.

The same command goes on with the same run by itself, on any number of devices. Changed options make another run, which
begins anew unless it is told to continue a stopped one. Then it takes over weights, optimizer, figures and the row
cursor: no row of the epoch is seen twice or left out, and the schedule stands where so many rows would have brought it.
"""

from __future__ import annotations

import math
import shutil
from pathlib import Path
from typing import Any

import msgspec

from tuneloop.errors import TrainingError
from tuneloop.store import Run, Store
from tuneloop.store.disk import writing
from tuneloop.store.seal import replace
from tuneloop.training.job import Job
from tuneloop.training.loop import Learner
from tuneloop.training.plan import Plan
from tuneloop.training.state import State

ASKED = "asked.json"
LATEST = "latest"
TAKEN = (
    "signals.jsonl",
    "row_losses.train.bin",
    "row_losses.validation.bin",
    "samples.jsonl",
    "general.json",
    "checkpoints",
)
"""What a run takes over from the one it continues; the checkpoints last, since their presence says it is all there."""


class Asked(msgspec.Struct):
    """What a run in the work folder was asked for."""

    key: str
    asked: dict[str, Any]


def describe(job: Job, folder: Path) -> None:
    """Write down what a run is asked for, so that another one can continue it."""
    replace(folder / ASKED, msgspec.json.format(msgspec.json.encode(Asked(job.key, job.asked)), indent=2) + b"\n")


def stopped(store: Store) -> list[Asked]:
    """The runs in the work folder that have a checkpoint, the latest first."""
    found = []
    for path in (store.root / "work").glob(f"*/{ASKED}"):
        steps = list((path.parent / "checkpoints").glob("step-*"))
        if steps:
            found.append((max(step.stat().st_mtime for step in steps), path))
    return [msgspec.json.decode(path.read_bytes(), type=Asked) for _, path in sorted(found, reverse=True)]


def key_of(store: Store, name: str) -> str:
    """The key of the run that a name means: ``latest``, or the beginning of the name of its work folder.

    Raises:
        TrainingError: There is none, or more than one.
    """
    keys = [run.key for run in stopped(store)]
    if name == LATEST and keys:
        return keys[0]
    done = [str(run.facts["continues"]) for run in store.artifacts(Run) if run.facts.get("continues")]
    found = {key for key in (*keys, *done) if key.startswith(name)}
    if len(found) == 1:
        return found.pop()
    known = ", ".join(key[:8] for key in keys)
    raise TrainingError(
        f"{len(found)} stopped runs are called {name!r}" if found else f"no stopped run is called {name!r}",
        where=str(store.root / "work"),
        fix=f"name one of: {LATEST}, {known}" if known else "leave --continue-from out: there is no stopped run",
    )


def differences(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """What stands in the way of continuing one run with the options of another: everything but how it steps.

    Args:
        before: What the stopped run was asked for.
        now: What is asked for.
    """
    whole = ("dataset", "base", "start", "model", "task", "seed", "others")
    found = [name for name in whole if _differ(before, now, name)]
    found += [f"train.{name}" for name in ("adapter", "max_length") if _differ(before["train"], now["train"], name)]
    if list(before["train"]["optimizer"]) != list(now["train"]["optimizer"]):
        found.append("train.optimizer")
    return found


def hint(job: Job, folder: Path) -> str:
    """Of a run that begins anew: the stopped run that it could continue; empty where there is none."""
    if job.continues or (folder / "checkpoints").exists():
        return ""
    for run in stopped(job.store):
        if run.key != job.key and not differences(run.asked, job.asked):
            return f"begins anew; a stopped run of the same rows and weights goes on with --continue-from {run.key[:8]}"
    return ""


def take_over(job: Job, folder: Path) -> None:
    """Put what a run takes over from the one that it continues into its work folder, once.

    Raises:
        TrainingError: The stopped run is gone, or another one than this can continue.
        StoreError: It is still going on, or the disk is full.
    """
    if (folder / "checkpoints").exists():
        return
    source = job.store.root / "work" / job.continues[:20]
    if not (source / ASKED).exists():
        raise TrainingError(
            "the run to continue is no longer there", where=str(source), fix="leave --continue-from out to begin anew"
        )
    other = differences(msgspec.json.decode((source / ASKED).read_bytes(), type=Asked).asked, job.asked)
    if other:
        raise TrainingError(
            f"the stopped run differs in {', '.join(other)}: what it learned does not fit",
            where=str(source),
            fix=f"write {', '.join(other)} as that run had it, or leave --continue-from out to begin anew",
        )
    with job.store.work(job.continues), writing(folder):
        draft = folder / "taken"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir()
        for name in TAKEN:
            if (source / name).is_dir():
                shutil.copytree(source / name, draft / name)
            elif (source / name).exists():
                shutil.copyfile(source / name, draft / name)
        for name in TAKEN:
            if (draft / name).exists():
                (draft / name).replace(folder / name)
        draft.rmdir()


def planned(learner: Learner, state: State) -> Plan:
    """The plan of a run that goes on, in its own count of steps.

    Where steps have another size than before, ``state.shift`` is set anew: the schedule goes on where so many rows
    would have brought it with steps of the new size. A recipe with ``max_steps`` counts steps, whatever their size.

    Args:
        learner: What goes on, with the plan of a run that begins.
        state: Where it stands.

    Raises:
        TrainingError: The run is already past its end.
    """
    plan, size = learner.plan, learner.section.batch.size
    if state.size != size:
        left = math.ceil((len(learner.train) - state.row) / size)
        made = (state.epoch + 1) * plan.epoch_steps - left
        state.size, state.shift = size, 0 if learner.section.max_steps else state.step - made
    plan = plan.later(state.shift)
    if plan.steps < state.step:
        raise TrainingError(
            f"the stopped run has made {state.step} steps over {state.rows} rows, and the recipe asks for no more",
            where="train.num_train_epochs",
            fix="raise train.num_train_epochs or train.max_steps",
        )
    return plan


def _differ(before: dict[str, Any], now: dict[str, Any], name: str) -> bool:
    return bool(before.get(name) != now.get(name))
