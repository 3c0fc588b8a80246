"""The batch: how many rows fit through the model at once, and how many of them are fastest.

Every size is really tried: the longest rows forward, backward and through an evaluation, then usual rows in whole
optimizer steps at rate 0, whose time is taken. On a CPU, where running out of memory ends the process, a size that is
expected to need more than is free is not tried.
"""

from __future__ import annotations

import math
import time
from dataclasses import replace
from typing import Any, Literal

import msgspec
import numpy as np
import torch

from tuneloop.models import Loaded
from tuneloop.models.generate import Request, context_length, generate
from tuneloop.monitoring.peak import peak_bytes
from tuneloop.training import loop
from tuneloop.training.batches import order
from tuneloop.training.finders.asked import Asked
from tuneloop.training.lookout import LONGEST
from tuneloop.training.machine import SHARE
from tuneloop.training.memory import free_bytes, ran_out, release
from tuneloop.training.need import Need
from tuneloop.training.plan import SOME
from tuneloop.training.section import RateScaling

NEAR = 0.97
"""A size with this share of the best speed is as good as the fastest; the smaller one leaves more memory."""
SECONDS = 1.0
"""How long usual steps of one size are made, at least."""
ROUNDS = 3
"""How often the same rows are timed at least; the median counts."""
USUAL = 64
"""Rows that are timed at least."""
ANSWERS = 8
"""Answers that a model writes at once where samples or questions are answered."""


class Size(msgspec.Struct, frozen=True):
    """One number of rows that was tried.

    Attributes:
        rows: Rows that went through the model at once, at most.
        fits: Whether they fit.
        why: What said that they do not; empty where they do.
        tokens_per_second: Tokens learned from in a second of usual steps; None where they do not fit.
        needs: Bytes that a step was expected to take besides the model.
        peak: Bytes at the highest point until now; on a CPU of the whole process.
    """

    rows: int
    fits: bool
    why: str
    tokens_per_second: float | None
    needs: int
    peak: int


class Scaled(msgspec.Struct, frozen=True):
    """How the learning rate follows a larger batch: ``rate`` is ``written`` times ``times``."""

    rule: Literal["linear", "sqrt"]
    reference: int
    size: int
    written: float
    times: float
    rate: float


class Batch(msgspec.Struct, frozen=True):
    """What was found about the batch.

    Attributes:
        rows: Rows at once that are proposed: the fewest that are as fast as the fastest.
        largest: The most rows at once that fit; None where not even one does.
        changes: The proposal as ``--set`` takes it.
        why: The reason, in a sentence with figures.
        device: Where it was tried.
        free: Bytes that were free before the first step.
        answers: Whether answers could be written beside the optimizer's state; None for a task that writes none.
        scaled: How the learning rate follows, where that was asked for and the batch grows.
        sizes: What was tried, fewest rows first.
    """

    rows: int | None
    largest: int | None
    changes: list[str]
    why: str
    device: str
    free: int
    answers: bool | None
    scaled: Scaled | None
    sizes: list[Size]


def find_batch(asked: Asked, *, scale: Literal["linear", "sqrt"] | None = None) -> Batch:
    """Find how many rows go through the model at once; nothing of the trials is kept.

    Args:
        asked: What would be trained.
        scale: Let the step itself grow to the fastest size too, and the learning rate with it, by this rule. Without
            it, at most ``train.batch.size`` rows are tried, and the result of a training stays the same.

    Returns:
        The proposal with all sizes that were tried.

    Raises:
        ModelError: The model cannot be opened.
        TrainingError: There is nothing to learn, or an option cannot act.
    """
    batch = asked.train.batch.model_copy(update={"auto_find_batch_size": False, "per_device_train_batch_size": None})
    section = asked.train.model_copy(update={"batch": batch})
    with replace(asked, train=section).opened() as (loaded, learner):
        device = learner.precision.device
        free = free_bytes(device)
        most = min(batch.size if scale is None else _most(learner), len(learner.train))
        sizes = _tried(asked, learner, most, free)
        answers = _answers(asked, loaded, learner) if any(size.fits for size in sizes) else None
    return _told(asked, sizes, scale, device=str(device), free=free, answers=answers)


def _most(learner: loop.Learner) -> int:
    """The most rows a step may have so that the training still has steps enough."""
    size, plan = learner.section.batch.size, learner.plan
    return max(size, size * plan.steps // SOME)


def _tried(asked: Asked, learner: loop.Learner, most: int, free: int) -> list[Size]:
    """Try sizes, each twice the one before, until one does not fit or makes no larger micro-batches."""
    counts = [2**power for power in range(most.bit_length()) if 2**power < most] + [most]
    asked.progress.start("trying sizes", len(counts))
    found: list[Size] = []
    before = 0
    for rows in counts:
        each = replace(learner, plan=replace(learner.plan, micro=rows))
        together = max(len(part) for step in _usual(each, rows) for part in each.layout(each.train, step))
        if together == before:
            break
        before = together
        found.append(_try(each, rows, free))
        speed = found[-1].tokens_per_second
        asked.progress.advance(len(found), {"train/tokens_per_second": speed} if speed else None)
        if not found[-1].fits:
            break
    return found


def _try(learner: loop.Learner, rows: int, free: int) -> Size:
    need, device = Need(learner), learner.precision.device
    needs = need.of(rows)
    if device.type == "cpu" and needs > SHARE * free:
        return Size(
            rows, False, f"expected to need {needs / 1e6:,.0f} of {free / 1e6:,.0f} MB", None, needs, _peak(device)
        )
    try:
        need.try_(rows)
        learner.optimizer.zero_grad(set_to_none=True)
        speed = _speed(learner, rows)
    except (RuntimeError, MemoryError) as error:
        if not ran_out(error):
            raise
        said = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
        return Size(rows, False, said, None, needs, _peak(device))
    finally:
        learner.optimizer.zero_grad(set_to_none=True)
        release(device)
    if learner.room.ran_out:
        return Size(rows, False, "memory ran out in a usual step", None, needs, _peak(device))
    return Size(rows, True, "", speed, needs, _peak(device))


def _usual(learner: loop.Learner, rows: int) -> list[list[int]]:
    """The rows of a few usual steps; the same ones for all sizes up to that of a step."""
    count = len(learner.train)
    step = min(max(rows, learner.section.batch.size), count)
    steps = math.ceil(USUAL / step)
    drawn = np.resize(order(count, seed=learner.seed, epoch=0), step * steps)
    return [part.tolist() for part in np.split(drawn, steps)]


def _speed(learner: loop.Learner, rows: int) -> float:
    """Tokens a second in usual optimizer steps at rate 0, after a first one that is not timed."""
    device = learner.precision.device
    steps = _usual(learner, rows)
    for group in learner.optimizer.param_groups:
        group["lr"] = 0.0
    rounds: list[float] = []
    began = time.perf_counter()
    while len(rounds) <= ROUNDS or time.perf_counter() - began < SECONDS:
        start, tokens = time.perf_counter(), 0
        for step in steps:
            tokens += loop.learn(learner, step).tokens
            loop.update(learner)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        rounds.append(tokens / (time.perf_counter() - start))
    return float(np.median(rounds[1:]))


def _peak(device: torch.device) -> int:
    return int(torch.cuda.max_memory_allocated(device)) if device.type == "cuda" else peak_bytes()


def _answers(asked: Asked, loaded: Loaded, learner: loop.Learner) -> bool | None:
    """Whether the longest questions can be answered while the optimizer's state is held; None without questions."""
    if learner.task.choices or not loaded.model.can_generate():  # type: ignore[operator]
        return None
    split = "validation" if len(learner.validation) else "train"
    questions = (learner.task.question(record, loaded.tokenizer) for record in asked.dataset.records(split))
    prompts = sorted((each.prompt for each in questions if each and each.prompt), key=len)[-ANSWERS:]
    if not prompts:
        return None
    room = (context_length(loaded) or 1 << 20) - 1
    try:
        generate(loaded, [Request(prompt[-room:], max_new_tokens=LONGEST) for prompt in prompts], batch=ANSWERS)
    except (RuntimeError, MemoryError) as error:
        if not ran_out(error):
            raise
        return False
    return True


def _told(
    asked: Asked,
    sizes: list[Size],
    scale: Literal["linear", "sqrt"] | None,
    *,
    device: str,
    free: int,
    answers: bool | None,
) -> Batch:
    fitting = {size.rows: size.tokens_per_second for size in sizes if size.fits and size.tokens_per_second}
    about: dict[str, Any] = {"device": device, "free": free, "answers": answers, "sizes": sizes}
    if not fitting:
        why = f"not even one row fits: {sizes[0].why}; shorten train.max_length, or write gradient_checkpointing: true"
        return Batch(None, None, [], why, scaled=None, **about)
    best = max(fitting.values())
    rows = min(rows for rows, speed in fitting.items() if speed >= NEAR * best)
    most = max(fitting)
    why = f"{fitting[rows]:,.0f} tokens a second with {rows} rows at once"
    why += f", {fitting[most]:,.0f} with {most}, the most that fit" if rows < most else ", the most that were tried"
    size = asked.train.batch.size
    changes = [f"train.batch.per_device_train_batch_size={rows}"]
    scaled = _scaled(asked, scale, rows) if scale and rows > size else None
    if scaled:
        scaling = f"{{rule: {scaled.rule}, reference: {scaled.reference}}}"
        changes = [f"train.batch.size={rows}", *changes, f"train.batch.learning_rate_scaling={scaling}"]
    return Batch(rows, most, changes, why, scaled=scaled, **about)


def _scaled(asked: Asked, rule: Literal["linear", "sqrt"], size: int) -> Scaled:
    """The rate for a larger step, by the same rule and from the same reference as a training takes it."""
    section = asked.train
    before = section.batch.learning_rate_scaling
    reference = before.reference if before else section.batch.size
    batch = section.batch.model_copy(
        update={"size": size, "learning_rate_scaling": RateScaling(rule=rule, reference=reference)}
    )
    rate = section.model_copy(update={"batch": batch}).learning_rate
    written = section.optimizer.learning_rate
    return Scaled(rule, reference, size, written, rate / written, rate)
