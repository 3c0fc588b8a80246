"""Estimate: what a recipe will cost on this machine, before it is run.

Memory is worked out from the model's configuration and the longest rows, without opening the weights; time is taken
from a few real optimizer steps, of which nothing is kept.
"""

from __future__ import annotations

import math
import resource
import sys
import time
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import psutil
import torch

from tuneloop.models import Base, Tokenizer
from tuneloop.models.assess import FP32, Assessment, assess
from tuneloop.models.device import pick_device
from tuneloop.models.section import ModelSection
from tuneloop.monitoring.progress import Progress, Silent
from tuneloop.monitoring.section import MonitorSection
from tuneloop.store import Dataset, Store
from tuneloop.tasks import Task
from tuneloop.training import loop
from tuneloop.training.batches import batches, order
from tuneloop.training.encoded import encoded, refuse_empty
from tuneloop.training.plan import Plan
from tuneloop.training.precision import Precision
from tuneloop.training.randomness import own_randomness
from tuneloop.training.ready import open_to_learn, ready
from tuneloop.training.section import TrainSection

if TYPE_CHECKING:
    from tuneloop.training.optimizers import Optimizer


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
    section: TrainSection, *, task: Task, base: Base, dataset: Dataset, store: Store, progress: Progress | None = None
) -> Assessment:
    """Work out the memory of a training from its model's configuration and its longest rows.

    Args:
        section: The ``train`` section.
        task: What is learned.
        base: The base model.
        dataset: The rows.
        store: For the cache of encoded rows; nothing else is written.
        progress: Told how far it is.

    Raises:
        ModelError: The configuration cannot be used.
        TrainingError: There is nothing to learn, or an option cannot act.
    """
    tokenizer = Tokenizer.load(base.folder, chat_template=base.template)
    rows = encoded(dataset, "train", task, tokenizer, section.max_length, store=store, progress=progress or Silent())
    refuse_empty(rows, dataset, section.max_length)
    most = min(Plan.of(section, len(rows), 1).micro, len(rows))
    longest = rows.lengths.argsort(kind="stable")[::-1][:most].tolist()
    weights = base.under.folder if base.under else base.folder
    asked = {
        "rows": most,
        "tokens": int(rows.lengths[longest[0]]),
        "learned": sum(sum(rows[index].learn[1:]) for index in longest),
        "states": _states(section.optimizer),
    }
    found = assess(weights, task, section.adapter, **asked)
    if Precision(section.precision, pick_device(), found.parameters).name == "fp32":
        return found
    return assess(weights, task, section.adapter, **asked, activation_bytes=FP32 // 2)


def available(device: torch.device | None = None) -> int:
    """Bytes that a training may take on a device: all of a GPU, what is free (and this process has) of a CPU."""
    device = device or pick_device()
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory)
    free: int = psutil.virtual_memory().available + psutil.Process().memory_info().rss
    return free


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
        progress: Told how far it is.

    Raises:
        ModelError: The model cannot be opened.
        TrainingError: There is nothing to learn, or an option cannot act.
    """
    progress = progress or Silent()
    with own_randomness(seed):
        loaded = open_to_learn(section, task, model, base, store, seed, None)
        learner = ready(section, loaded, task, dataset, MonitorSection(), store, seed, progress)
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
    every = int(rows.ids.size)
    step = token * every / plan.epoch_steps
    evaluations = 1 + math.ceil(plan.steps / plan.eval_steps) if len(learner.validation) else 0
    return Probe(
        device=str(loaded.device),
        precision=learner.precision.name,
        peak=peak,
        examples=len(rows),
        tokens=every,
        longest=int(rows.lengths.max()),
        steps=plan.steps,
        step_seconds=step,
        evaluation_seconds=evaluation,
        seconds=step * plan.steps + evaluation * evaluations,
    )


def _states(optimizer: Optimizer) -> int:
    """How many numbers an optimizer keeps for each weight, seen on one small weight."""
    weight = torch.nn.Parameter(torch.zeros(64, 64))
    built = optimizer.build([{"params": [weight], "weight_decay": 0.0}])
    weight.grad = torch.zeros_like(weight)
    built.step()
    kept = [value for value in built.state[weight].values() if isinstance(value, torch.Tensor)]
    return sum(value.numel() for value in kept) // weight.numel()


def _try(learner: loop.Learner, indices: list[int]) -> tuple[float, int]:
    """Make one optimizer step at rate 0: its seconds and tokens."""
    for group in learner.optimizer.param_groups:
        group["lr"] = 0.0
    _wait(learner.precision.device)
    began = time.perf_counter()
    _, _, tokens, _ = loop.learn(learner, indices)
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
        for batch in batches(rows, some, learner.task, pad=learner.pad, most=learner.plan.micro, device=device):
            learner.task.loss(learner.model, batch)
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
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
