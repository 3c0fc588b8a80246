"""The training loop: everything that happens between the first step and the last.

::

    run
    ├─ held-out loss before the first step                       validation/loss at step 0
    └─ for every optimizer step, until the plan or early stopping ends it:
       ├─ the next rows of the epoch's order                     batches.order(seed, epoch)
       ├─ the learning rate                                      schedule.at(step, steps, held-out losses)
       ├─ learn: for every micro-batch of these rows             batches.cut by length
       │    ├─ forward, in the run's precision                   task.loss, a sum over supervised tokens
       │    └─ backward of loss / supervised tokens of the step
       ├─ clip; loss and gradient norm come to the host          the one synchronisation of a step
       ├─ not finite? stop, and name the rows                    TrainingError
       ├─ optimizer step
       ├─ record and show                                        train/*
       ├─ every eval_steps: held-out loss, checks, samples       validation/loss, findings
       ├─ every save_steps, at a new best, at the end: save      checkpoints
       └─ asked to stop (SIGTERM, Ctrl-C)? save, then leave      Stopped

Everything that changes lives in the model, the optimizer, the random generators and one :class:`State`;
a checkpoint holds exactly these, so a run that goes on from one makes the same steps as if it had never stopped.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import torch
from torch import nn

from tuneloop.errors import TrainingError
from tuneloop.monitoring.progress import Progress, Silent
from tuneloop.monitoring.recorder import Records
from tuneloop.tasks import Batch, Objective, Task
from tuneloop.training.backoff import fitting
from tuneloop.training.batches import batches, layout, order
from tuneloop.training.checkpoints import Checkpoints
from tuneloop.training.encoded import Encoded
from tuneloop.training.interrupt import Asked, Stopped
from tuneloop.training.machine import Machine
from tuneloop.training.memory import memory_mb
from tuneloop.training.plan import Plan
from tuneloop.training.precision import Precision
from tuneloop.training.processes.gradients import add_up
from tuneloop.training.processes.pace import in_step
from tuneloop.training.processes.ranks import Ranks
from tuneloop.training.processes.shards import whole
from tuneloop.training.processes.share import share
from tuneloop.training.pull import Pull
from tuneloop.training.quickened import Quick
from tuneloop.training.section import TrainSection
from tuneloop.training.state import Room, State

__all__ = ["Learner", "Stopped", "learn", "run", "update"]


@dataclass(frozen=True)
class Learner:
    """What learns, from what, and how: fixed from the first step to the last."""

    model: nn.Module
    task: Task
    loss: Objective
    section: TrainSection
    plan: Plan
    optimizer: torch.optim.Optimizer
    precision: Precision
    train: Encoded
    validation: Encoded
    pad: int
    quick: Quick
    seed: int
    pull: Pull | None = None
    ranks: Ranks = field(default_factory=Ranks)
    reference: dict[str, Any] | None = None
    progress: Progress = field(default_factory=Silent)
    room: Room = field(default_factory=Room)
    machine: Machine | None = None

    def batches(self, rows: Encoded, indices: list[int]) -> Iterator[Batch]:
        """The micro-batches of some rows of a split, on the device."""
        return batches(
            rows,
            indices,
            self.task,
            pad=self.pad,
            most=self.plan.micro,
            device=self.precision.device,
            packing=self.quick.packing,
            tokens=self.room.tokens,
        )

    def layout(self, rows: Encoded, indices: list[int], most: int | None = None) -> list[list[int]]:
        """The rows of each of these micro-batches, or of those with ``most`` rows."""
        most, device = most or self.plan.micro, self.precision.device
        return layout(rows, indices, most=most, tokens=self.room.tokens, device=device, packing=self.quick.packing)

    def together(self, rows: Encoded, indices: list[int]) -> list[Batch]:
        """The micro-batches of some rows, with what the loss of each needs to know of all of them."""
        parts = list(self.batches(rows, indices))
        gauge = self.gauge(parts)
        return parts if gauge is None else [replace(batch, gauge=gauge) for batch in parts]

    def gauge(self, parts: Iterable[Batch]) -> float | None:
        """The mean of the task's gauge over some batches of all processes; None where the loss needs none."""
        measure = self.task.gauge()
        if measure is None:
            return None
        total, terms, was = 0.0, 0.0, self.model.training
        self.model.eval()
        with torch.no_grad(), self.precision.forward():
            for batch in parts:
                total += measure(self.model, batch).item()
                terms += batch.supervised
        self.model.train(was)
        total, terms = self.ranks.total(total, terms)
        return total / max(1, terms)

    def shares(self, indices: list[int]) -> list[list[int]]:
        """The training rows of one step as the processes share them, by rank."""
        if self.ranks.count == 1:
            return [indices]
        return share(indices, self.train.lengths[indices].tolist(), self.ranks.count)

    @property
    def weights(self) -> list[nn.Parameter]:
        """The weights that learn."""
        return [weight for group in self.optimizer.param_groups for weight in group["params"]]


def run(
    learner: Learner,
    state: State,
    *,
    checkpoints: Checkpoints,
    recorder: Records,
    look: Callable[[int], None],
    asked: Asked,
    progress: Progress,
) -> str:
    """Train from where the state stands to the end.

    Args:
        learner: What learns, from what, and how.
        state: Where the run stands; it is changed in place.
        checkpoints: Where states are saved.
        recorder: Where figures are written.
        look: Called with the step after every evaluation, to look at curves and answers.
        asked: Whether somebody asked the run to stop.
        progress: Shows the figures of every step.

    Returns:
        Why it ended: ``steps`` (all were made) or ``patience`` (the held-out loss no longer improved).

    Raises:
        TrainingError: A loss or gradient is not finite.
        StoreError: A checkpoint or a figure cannot be written.
        Stopped: It was asked to stop; the state is saved.
    """
    plan = learner.plan
    progress.start("training", plan.steps)
    progress.advance(state.step)
    if state.step == 0 and len(learner.validation):
        recorder.write(0, held_out(learner))
    learner.model.train()
    while not (reason := ended(learner, state)):
        figures = _step(learner, state)
        if state.step % plan.log_steps == 0 or state.step == plan.steps:
            recorder.write(state.step, figures)
        progress.advance(state.step, figures)
        if plan.evaluates(state.step):
            if len(learner.validation):
                _evaluate(learner, state, recorder, progress)
            look(state.step)
        asked_for = learner.ranks.most(asked.signal)
        if _saves(learner, state) or asked_for:
            state.signals = recorder.flush()
            checkpoints.save(state)
        if asked_for and not ended(learner, state):
            raise Stopped(state.step, plan.steps, asked_for)
    return reason


def ended(learner: Learner, state: State) -> str:
    """Why the run is over: ``steps`` or ``patience``; empty while it is not."""
    stop = learner.section.stop
    if state.step >= learner.plan.steps:
        return "steps"
    if stop and state.held_out and state.waited(stop.min_delta) >= stop.patience:
        return "patience"
    return ""


def held_out(learner: Learner) -> dict[str, float]:
    """Mean loss of the validation split, in nats per supervised term, without dropout, and the task's own figures.

    Raises:
        TrainingError: It is not finite.
    """
    rows = learner.validation
    device = learner.precision.device
    total = torch.zeros((), dtype=torch.float64, device=device)
    supervised = 0
    most = learner.plan.micro
    sums: dict[str, torch.Tensor] = {}
    indices = rows.lengths.argsort(kind="stable")[::-1].tolist()
    mine = indices[learner.ranks.rank :: learner.ranks.count]
    longest = math.ceil(len(indices) / learner.ranks.count)
    parts = [mine[start : start + most * 8] for start in range(0, longest, most * 8)]
    gauge = learner.gauge(batch for part in parts for batch in learner.batches(rows, part))

    def measure(parts: Iterable[tuple[Batch, int]]) -> list[tuple[Batch, int, torch.Tensor]]:
        return [(batch, weight, learner.loss(learner.model, batch).double() * weight) for batch, weight in parts]

    learner.model.eval()
    with torch.no_grad(), learner.precision.forward():
        for part in parts:
            gauged = in_step(learner, (replace(batch, gauge=gauge) for batch in learner.batches(rows, part)))
            for batch, weight, summand in fitting(learner, rows, part, gauged, measure):
                total += summand
                supervised += batch.supervised * weight
                _add(sums, batch, weight)
    learner.model.train()
    figures = {name: value.item() for name, value in sums.items()}
    summed = learner.ranks.sums({"": total.item(), "terms": supervised, **figures})
    loss = summed.pop("") / max(1, summed.pop("terms"))
    if not math.isfinite(loss):
        raise TrainingError(
            f"the held-out loss is {loss}",
            where=f"validation rows such as {', '.join(_not_finite(learner, rows, indices)) or rows.origins[0]}",
            fix="take these rows out, or lower train.optimizer learning_rate",
        )
    told = learner.task.figures(summed)
    return {"validation/loss": loss} | {f"validation/{name}": value for name, value in told.items()}


def _step(learner: Learner, state: State) -> dict[str, float]:
    """Make one optimizer step, count it, and give its figures."""
    began = time.perf_counter()
    rows, section, count = learner.train, learner.section, len(learner.train)
    indices = order(count, seed=learner.seed, epoch=state.epoch)[state.row : state.row + section.batch.size].tolist()
    factor = section.schedule.at(state.step - state.shift, learner.plan.steps - state.shift, state.losses)
    rate = section.learning_rate * factor
    for group in learner.optimizer.param_groups:
        group["lr"] = rate * group["pace"]
    shares = learner.shares(indices)
    loss, norm, tokens, supervised, micro, told = learn(learner, shares[learner.ranks.rank])
    if not math.isfinite(loss) or (not math.isfinite(norm) and learner.precision.scaler is None):
        what = f"the loss is {loss}" if not math.isfinite(loss) else f"the gradient's norm is {norm}"
        named = _not_finite(learner, rows, indices) or [rows.origins[index] for index in indices[:5]]
        raise TrainingError(
            f"{what} at step {state.step + 1}; the last good checkpoint is kept",
            where=f"rows of that step: {', '.join(named)}",
            fix=f"look at these rows; else lower the learning rate (now {rate:.2g}) or set train.max_grad_norm",
        )
    update(learner)
    state.saw(rows.records[index] for index in indices)
    state.shared([len(each) for each in shares])
    clipped = section.max_grad_norm is not None and section.max_grad_norm < norm < math.inf
    counted = {"rows": len(indices), "tokens": tokens, "learned": supervised, "micro": micro}
    state.went(**counted, rate=rate, clipped=clipped, of=count)
    return {
        "train/loss": loss,
        "train/learning_rate": rate,
        "train/grad_norm": norm if math.isfinite(norm) else 0.0,
        "train/tokens_per_second": tokens / (time.perf_counter() - began),
        "train/memory_mb": memory_mb(learner.precision.device),
        "train/epoch": state.epoch + state.row / count,
        **({"train/out_of_memory": learner.room.ran_out} if learner.room.ran_out else {}),
        **{f"train/{name}": value for name, value in told.items()},
    }


class Learned(NamedTuple):
    """What a step's rows gave.

    Attributes:
        loss: In nats per supervised term.
        norm: Norm of the gradient before clipping.
        tokens: Tokens read.
        supervised: Supervised terms.
        micro: Micro-batches.
        figures: The task's own figures.
    """

    loss: float
    norm: float
    tokens: int
    supervised: int
    micro: int
    figures: dict[str, float]


def learn(learner: Learner, indices: list[int]) -> Learned:
    """Put the gradient of some rows' mean loss into the weights, clipped.

    Args:
        learner: What learns.
        indices: Rows of ``learner.train``: this process's share of the step.

    Returns:
        What the rows of all processes gave.
    """
    precision = learner.precision
    device = precision.device
    parts = learner.together(learner.train, indices)
    counts = (sum(batch.supervised for batch in parts), sum(batch.tokens for batch in parts))
    supervised, tokens = map(int, learner.ranks.total(*counts))

    def accumulate(parts: Iterable[tuple[Batch, int]]) -> tuple[torch.Tensor, dict[str, torch.Tensor], int]:
        total, sums, micro = torch.zeros((), device=device), dict[str, torch.Tensor](), 0
        for batch, weight in parts:
            with precision.forward():
                loss = learner.loss(learner.model, batch) * (weight / supervised)
            torch.autograd.backward(precision.scaler.scale(loss) if precision.scaler else loss)
            total += loss.detach()
            _add(sums, batch, weight)
            micro += weight
        return total, sums, micro

    learner.optimizer.zero_grad(set_to_none=True)
    total, sums, micro = fitting(learner, learner.train, indices, in_step(learner, parts), accumulate)
    add_up(learner.ranks, learner.weights)
    if precision.scaler:
        precision.scaler.unscale_(learner.optimizer)
    gradients = [weight.grad for weight in learner.weights if weight.grad is not None]
    norm = whole(nn.utils.get_total_norm(gradients))
    if learner.section.max_grad_norm is not None:
        nn.utils.clip_grads_with_norm_(learner.weights, learner.section.max_grad_norm, norm)
    values = torch.stack([value.to(total) for value in (total, norm, *sums.values())]).tolist()
    figures = dict(zip(sums, values[2:], strict=True))
    summed = learner.ranks.sums({"": values[0], "micro-batches": micro, **figures})
    loss, micro = summed.pop(""), int(summed.pop("micro-batches"))
    return Learned(loss, values[1], tokens, supervised, micro, learner.task.figures(summed))


def _add(sums: dict[str, torch.Tensor], batch: Batch, weight: int) -> None:
    for name, value in batch.figures.items():
        sums[name] = sums.get(name, 0) + value * weight


def update(learner: Learner) -> None:
    """Make the optimizer's step with the gradients that are in the weights."""
    scaler = learner.precision.scaler
    if scaler is None:
        learner.optimizer.step()
    else:
        scaler.step(learner.optimizer)  # leaves the step out if a scaled gradient overflowed
        scaler.update()


def _evaluate(learner: Learner, state: State, recorder: Records, progress: Progress) -> None:
    figures = held_out(learner)
    state.held_out.append((state.step, figures["validation/loss"]))
    recorder.write(state.step, figures)
    progress.advance(state.step, figures)


def _saves(learner: Learner, state: State) -> bool:
    best = state.best
    new_best = best is not None and best[0] == state.step
    return learner.plan.saves(state.step) or new_best or bool(ended(learner, state))


def _not_finite(learner: Learner, rows: Encoded, indices: list[int]) -> list[str]:
    """Origins of up to five rows whose loss, computed alone, is not finite."""
    found: list[str] = []
    with torch.no_grad():
        for index in indices:
            (batch,) = learner.batches(rows, [index])
            with learner.precision.forward():
                loss = learner.loss(learner.model, batch).item()
            if not math.isfinite(loss):
                found.append(rows.origins[index])
            if len(found) == 5:
                break
    return found
