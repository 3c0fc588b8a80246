"""Estimate: what a recipe will cost on this machine, before it is run.

Memory is worked out from the model's configuration and the longest rows, without opening the weights; time is taken
from a few real optimizer steps, of which nothing is kept.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import math
import time
from collections.abc import Mapping

import msgspec
import numpy as np
import psutil
import torch

from tuneloop.errors import TrainingError
from tuneloop.models import Base
from tuneloop.models.assess import Assessment, assess, count_weights
from tuneloop.models.device import pick_device
from tuneloop.models.load import base_tokenizer
from tuneloop.models.section import ModelSection
from tuneloop.monitoring.peak import peak_bytes
from tuneloop.monitoring.progress import Progress, Silent
from tuneloop.monitoring.section import MonitorSection
from tuneloop.store import Dataset, Store
from tuneloop.tasks import Task
from tuneloop.training import loop
from tuneloop.training.batches import layout, order
from tuneloop.training.encoded import Encoded, encoded, refuse_empty
from tuneloop.training.groups import state_bytes
from tuneloop.training.machine import SHARE, settle
from tuneloop.training.memory import free_bytes
from tuneloop.training.plan import Plan
from tuneloop.training.precision import Precision
from tuneloop.training.randomness import own_randomness
from tuneloop.training.ready import open_to_learn, ready
from tuneloop.training.section import TrainSection
from tuneloop.training.threads import own_threads

HEAP = 0.2
"""What the allocator of a CPU holds besides what it was asked for, as a share of what comes and goes; measured."""


class Probe(msgspec.Struct, frozen=True):
    """What a few real steps showed.

    Attributes:
        device: Where they ran.
        precision: In what they were computed.
        peak: Bytes at the highest point, with the longest rows; on a CPU the whole process.
        examples: Training examples of one epoch.
        tokens: Tokens of one epoch, padding not counted.
        longest: Tokens of the longest example.
        steps: Optimizer steps of the whole training.
        step_seconds: Seconds of one usual optimizer step.
        evaluation_seconds: Seconds of one evaluation on the validation split.
        seconds: Seconds of the whole training with its evaluations, if no early stopping ends it.
    """

    device: str
    precision: str
    peak: int
    examples: int
    tokens: int
    longest: int
    steps: int
    step_seconds: float
    evaluation_seconds: float
    seconds: float


def memory(
    section: TrainSection,
    *,
    task: Task,
    model: ModelSection,
    base: Base,
    dataset: Dataset,
    store: Store,
    others: Mapping[str, Base] | None = None,
    progress: Progress | None = None,
) -> Assessment:
    """Work out the memory of a training from its model's configuration and its longest rows.

    Args:
        section: The ``train`` section.
        task: What is learned.
        model: The ``model`` section.
        base: The base model.
        dataset: The rows.
        store: For the cache of encoded rows; nothing else is written.
        others: Other models that the task learns with, by their role.
        progress: Told how far it is.

    Raises:
        ModelError: The configuration cannot be used, or a new token is not new.
        TrainingError: There is nothing to learn, or an option cannot act.
    """
    task = task.fitted(dataset.records("train"))
    tokenizer = base_tokenizer(base, model)
    rows = encoded(dataset, "train", task, tokenizer, section.max_length, store=store, progress=progress or Silent())
    refuse_empty(rows, dataset, section.max_length)
    weights = base.under.folder if base.under else base.folder
    parameters = count_weights(weights, task)
    precision = Precision(section.precision, pick_device(), parameters)
    most = min(Plan.of(section, len(rows), 1).micro, len(rows))
    part, packed = _largest(rows, most, section, task, precision.device)
    asked = {
        "rows": len(part),
        "tokens": math.ceil(sum(map(rows.length, part)) / len(part)) if packed else max(map(rows.length, part)),
        "learned": sum(sum(rows[index].learn[1:]) for index in part),
        "state_bytes": functools.partial(state_bytes, section=section),
        "dtype": precision.dtype,
        "prepare": precision.store_frozen,
        "packed": packed,
        "quantization": model.quantization,
        "new_tokens": tokenizer.hf.convert_tokens_to_ids(list(model.added)),
    }
    wish = section.batch.gradient_checkpointing
    found = assess(weights, task, section.adapter, **asked, recompute=wish is True)
    if wish == "auto" and found.bytes > SHARE * available(precision.device):
        with contextlib.suppress(TrainingError):  # of a family that cannot do it, and then is not made to
            found = assess(weights, task, section.adapter, **asked, recompute=True)
    size = precision.dtype.itemsize
    beside = {role: size * count_weights(other.config_folder, task) for role, other in (others or {}).items()}
    if precision.device.type == "cpu":
        beside["allocator"] = round(HEAP * (found.memory["activations"] + found.memory["logits"]))
    return dataclasses.replace(found, memory={**found.memory, **beside})


def _largest(
    rows: Encoded, most: int, section: TrainSection, task: Task, device: torch.device
) -> tuple[list[int], bool]:
    """The rows of the largest micro-batch that there can be, and whether they stand in one stream."""
    packed = task.packs and section.batch.packing is not False
    longest = rows.lengths.argsort(kind="stable")[::-1][:most].tolist()
    parts = layout(rows, longest, most=most, tokens=None, device=device, packing=packed)
    return max(parts, key=lambda part: sum(map(rows.length, part))), packed


def available(device: torch.device | None = None) -> int:
    """Bytes that a training may take on a device: all of a GPU, what is free (and this process has) of a CPU."""
    device = device or pick_device()
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory)
    resident: int = psutil.Process().memory_info().rss
    return free_bytes(device) + resident


def probe(
    section: TrainSection,
    *,
    task: Task,
    model: ModelSection,
    base: Base,
    dataset: Dataset,
    store: Store,
    seed: int,
    steps: int = 3,
    others: Mapping[str, Base] | None = None,
    progress: Progress | None = None,
) -> Probe:
    """Make a few real steps and work out how long all of them will take.

    Args:
        section: The ``train`` section.
        task: What is learned.
        model: The ``model`` section.
        base: The base model.
        dataset: The rows.
        store: For the cache of encoded rows; nothing else is written.
        seed: Seed of everything random.
        steps: Usual steps whose time is taken, after one with the longest rows.
        others: Other models that the task learns with, by their role.
        progress: Told how far it is.

    Raises:
        ModelError: The model cannot be opened.
        TrainingError: There is nothing to learn, or an option cannot act.
    """
    progress = progress or Silent()
    task = task.fitted(dataset.records("train"))
    with own_randomness(seed), own_threads():
        loaded = open_to_learn(section, task, model, base, store, seed, None)
        learner = settle(ready(section, loaded, task, dataset, MonitorSection(), store, seed, progress, others))
        rows = learner.train
        progress.start("trying a few steps", steps + 2)
        learner.model.train()
        _try(learner, rows.lengths.argsort(kind="stable")[::-1][: section.batch.size].tolist())
        peak = _peak(loaded.device)
        progress.advance(1)
        token = _token_seconds(learner, steps, progress)
        evaluation = _evaluation(learner)
        progress.advance(steps + 2)
    plan = learner.plan
    step = float(token * rows.ids.size / plan.epoch_steps)
    evaluations = 1 + math.ceil(plan.steps / plan.eval_steps) if len(learner.validation) else 0
    return Probe(
        device=str(loaded.device),
        precision=learner.precision.name,
        peak=peak,
        examples=len(rows),
        tokens=int(rows.ids.size),
        longest=int(rows.lengths.max()),
        steps=plan.steps,
        step_seconds=step,
        evaluation_seconds=evaluation,
        seconds=step * plan.steps + evaluation * evaluations,
    )


def _try(learner: loop.Learner, indices: list[int]) -> tuple[float, int]:
    """Make one optimizer step at rate 0: its seconds and tokens."""
    for group in learner.optimizer.param_groups:
        group["lr"] = 0.0
    _wait(learner.precision.device)
    began = time.perf_counter()
    tokens = loop.learn(learner, indices).tokens
    loop.update(learner)
    _wait(learner.precision.device)
    return time.perf_counter() - began, tokens


def _token_seconds(learner: loop.Learner, steps: int, progress: Progress) -> float:
    """Seconds a token in usual optimizer steps."""
    count = len(learner.train)
    usual = np.resize(order(count, seed=learner.seed, epoch=0), steps * min(learner.section.batch.size, count))
    seconds, tokens = 0.0, 0
    for index, part in enumerate(np.array_split(usual, steps)):
        taken, read = _try(learner, part.tolist())
        seconds, tokens = seconds + taken, tokens + read
        progress.advance(index + 2)
    return seconds / tokens


def _evaluation(learner: loop.Learner) -> float:
    """Seconds of one evaluation, from the forward pass over some of its rows."""
    rows = learner.validation
    some = list(range(min(len(rows), 2 * learner.plan.micro)))
    if not some:
        return 0.0
    device = learner.precision.device
    began, tokens = time.perf_counter(), 0
    learner.model.eval()
    with torch.no_grad(), learner.precision.forward():
        for batch in learner.together(rows, some):
            learner.loss(learner.model, batch)
            tokens += batch.tokens
    _wait(device)
    learner.model.train()
    return (time.perf_counter() - began) / tokens * int(rows.ids.size)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _peak(device: torch.device) -> int:
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    return peak_bytes()
