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
       ├─ clip; losses and gradient norms come to the host       the one synchronisation of a step
       ├─ not finite? stop, and name the rows                    TrainingError
       ├─ optimizer step
       ├─ record and show                                        train/*, losses of single rows
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

import numpy as np
import torch
from torch import nn

from tuneloop.monitoring.progress import Progress, Silent
from tuneloop.monitoring.recorder import Records
from tuneloop.tasks import Batch, Objective, Task
from tuneloop.training.backoff import fitting
from tuneloop.training.batches import batches, layout, order
from tuneloop.training.checkpoints import Checkpoints
from tuneloop.training.encoded import Encoded
from tuneloop.training.held_out import held_out, measured, not_finite
from tuneloop.training.interrupt import Asked, Stopped
from tuneloop.training.machine import Machine
from tuneloop.training.memory import memory_mb
from tuneloop.training.plan import Plan
from tuneloop.training.precision import Precision
from tuneloop.training.processes.gradients import add_up
from tuneloop.training.processes.pace import in_step
from tuneloop.training.processes.ranks import Ranks
from tuneloop.training.processes.share import share
from tuneloop.training.pull import Pull
from tuneloop.training.quickened import Quick
from tuneloop.training.section import TrainSection
from tuneloop.training.signals.details import Details, Lost, gathered, loss_figures, placed, to_host
from tuneloop.training.signals.failure import NotFinite
from tuneloop.training.signals.norms import total_norm
from tuneloop.training.state import Room, State

__all__ = ["Learner", "Stopped", "advance", "held_out", "learn", "run", "update"]


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
    details: Details | None = None

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
    look: Callable[[int, bool], None],
    asked: Asked,
    progress: Progress,
) -> str:
    """Train from where the state stands to the end.

    Args:
        learner: What learns, from what, and how.
        state: Where the run stands; it is changed in place.
        checkpoints: Where states are saved.
        recorder: Where figures are written.
        look: Called with the step, and whether it is the last, after every evaluation, to look at curves and answers.
        asked: Whether somebody asked the run to stop.
        progress: Shows the figures of every step.

    Returns:
        Why it ended: ``steps`` (all were made), ``patience`` (the held-out loss no longer improved) or ``pause`` (it
        came to where it is to pause; the held-out loss is measured there, and the state is saved).

    Raises:
        NotFinite: A loss or gradient is not finite.
        StoreError: A checkpoint or a figure cannot be written.
        Stopped: It was asked to stop; the state is saved.
    """
    plan = learner.plan
    progress.start("training", plan.steps)
    progress.advance(state.step)
    if state.step == 0:
        if len(learner.validation):
            _measure(learner, 0, recorder)
        look(0, False)
    learner.model.train()
    while not (reason := ended(learner, state) or asked.paused(state.step, plan.steps)):
        figures, rows = advance(learner, state)
        recorder.rows("train", rows)
        if state.step % plan.log_steps == 0 or state.step == plan.steps:
            recorder.write(state.step, figures)
        progress.advance(state.step, figures)
        if plan.evaluates(state.step):
            if len(learner.validation):
                _evaluate(learner, state, recorder, progress)
            look(state.step, bool(ended(learner, state)))
        elif asked.paused(state.step, plan.steps) and len(learner.validation):
            _measure(learner, state.step, recorder)
        asked_for = learner.ranks.most(asked.signal)
        if _saves(learner, state) or asked_for or asked.paused(state.step, plan.steps):
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


def advance(learner: Learner, state: State) -> tuple[dict[str, float], np.ndarray]:
    """Make one optimizer step, count it, and give its figures and what its rows lost."""
    began = time.perf_counter()
    rows, section, count = learner.train, learner.section, len(learner.train)
    indices = order(count, seed=learner.seed, epoch=state.epoch)[state.row : state.row + section.batch.size].tolist()
    factor = section.schedule.at(state.step - state.shift, learner.plan.steps - state.shift, state.losses)
    rate = section.learning_rate * factor
    for group in learner.optimizer.param_groups:
        group["lr"] = rate * group["pace"]
    shares = learner.shares(indices)
    learned = learn(learner, shares[learner.ranks.rank])
    loss, norm = learned.loss, learned.norm
    if not math.isfinite(loss) or (not math.isfinite(norm) and learner.precision.scaler is None):
        what = f"the loss is {loss}" if not math.isfinite(loss) else f"the gradient's norm is {norm}"
        named = not_finite(learner, rows, indices) or [rows.origins[index] for index in indices[:5]]
        raise NotFinite.of(
            learner.model,
            f"{what} at step {state.step + 1}; the last good checkpoint is kept",
            where=f"rows of that step: {', '.join(named)}",
            fix=f"look at these rows; else lower the learning rate (now {rate:.2g}) or set train.max_grad_norm",
            split="train",
            step=state.step + 1,
            figures={"train/loss": loss, "train/grad_norm": norm},
            rows=learned.rows,
        )
    moves = learner.details.moves if learner.details and math.isfinite(norm) else None
    if moves:
        moves.before(state.step + 1, clipping(section, norm))
    update(learner)
    state.saw(rows.records[index] for index in indices)
    state.shared([len(each) for each in shares])
    clipped = section.max_grad_norm is not None and section.max_grad_norm < norm < math.inf
    counted = {"rows": len(indices), "tokens": learned.tokens, "learned": learned.supervised, "micro": learned.micro}
    state.went(**counted, rate=rate, clipped=clipped, of=count)
    learned.rows["step"] = state.step
    told = learned.figures | (moves.after() if moves else {})
    figures = {
        "train/loss": loss,
        "train/learning_rate": rate,
        "train/grad_norm": norm if math.isfinite(norm) else 0.0,
        "train/clipped": float(clipped),
        "train/learned_tokens": learned.supervised,
        "train/padding": learned.padding,
        "train/tokens_per_second": learned.tokens / (time.perf_counter() - began),
        "train/memory_mb": memory_mb(learner.precision.device),
        "train/epoch": state.epoch + state.row / count,
        **({"train/out_of_memory": learner.room.ran_out} if learner.room.ran_out else {}),
        **{f"train/{name}": value for name, value in told.items()},
    }
    return figures, learned.rows


class Learned(NamedTuple):
    """What a step's rows gave.

    Attributes:
        loss: In nats per supervised term.
        norm: Norm of the gradient before clipping.
        tokens: Tokens read.
        supervised: Supervised terms.
        micro: Micro-batches.
        padding: Share of padding in what the model read.
        figures: The losses by place and source, the gradient's norm by layers, and the task's own figures.
        rows: An entry for each row, the step still 0.
    """

    loss: float
    norm: float
    tokens: int
    supervised: int
    micro: int
    padding: float
    figures: dict[str, float]
    rows: np.ndarray


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
    counts = [(batch.supervised, batch.tokens, batch.ids.numel()) for batch in parts]
    supervised, tokens, read = map(int, learner.ranks.total(*np.array(counts).reshape(-1, 3).sum(0).tolist()))
    details = learner.details

    def accumulate(parts: Iterable[tuple[Batch, int]]) -> tuple[torch.Tensor, int, Lost]:
        total, micro = torch.zeros((), device=device), 0
        lost = Lost(details is not None)
        for batch, weight in parts:
            with precision.forward():
                loss = learner.loss(learner.model, batch) * (weight / supervised)
            torch.autograd.backward(precision.scaler.scale(loss) if precision.scaler else loss)
            total += loss.detach()
            lost.take(batch, weight)
            micro += weight
        return total, micro, lost

    learner.optimizer.zero_grad(set_to_none=True)
    total, micro, lost = fitting(learner, learner.train, indices, in_step(learner, parts), accumulate)
    add_up(learner.ranks, learner.weights)
    if precision.scaler:
        precision.scaler.unscale_(learner.optimizer)
    moving = [weight for weight in learner.weights if weight.grad is not None]
    norm, each = total_norm([weight.grad for weight in moving if weight.grad is not None])
    if learner.section.max_grad_norm is not None:
        nn.utils.clip_grads_with_norm_(learner.weights, learner.section.max_grad_norm, norm)
    figures, losses, norms = to_host({"": total, "norm": norm}, lost, each if details else None)
    length = figures.pop("norm")
    places, rows = placed(details.train if details else None, lost.rows, losses)
    summed, rows = gathered(learner.ranks, {**figures, "micro-batches": micro, **places}, rows)
    loss, micro = summed.pop(""), int(summed.pop("micro-batches"))
    told = loss_figures(summed) | learner.task.figures(summed)
    if details and norms is not None:
        told |= details.groups.norms(moving, norms)
    return Learned(loss, length, tokens, supervised, micro, 1 - tokens / max(1, read), told, rows)


def clipping(section: TrainSection, norm: float) -> float:
    """What a gradient of this norm is multiplied by, as :func:`torch.nn.utils.clip_grads_with_norm_` does."""
    return 1.0 if section.max_grad_norm is None else min(1.0, section.max_grad_norm / (norm + 1e-6))


def update(learner: Learner) -> None:
    """Make the optimizer's step with the gradients that are in the weights."""
    scaler = learner.precision.scaler
    if scaler is None:
        learner.optimizer.step()
    else:
        scaler.step(learner.optimizer)  # leaves the step out if a scaled gradient overflowed
        scaler.update()


def _evaluate(learner: Learner, state: State, recorder: Records, progress: Progress) -> None:
    figures = _measure(learner, state.step, recorder)
    state.held_out.append((state.step, figures["validation/loss"]))
    progress.advance(state.step, figures)


def _measure(learner: Learner, step: int, recorder: Records) -> dict[str, float]:
    figures, rows = measured(learner, step)
    recorder.write(step, figures)
    recorder.rows("validation", rows)
    return figures


def _saves(learner: Learner, state: State) -> bool:
    best = state.best
    new_best = best is not None and best[0] == state.step
    return learner.plan.saves(state.step) or new_best or bool(ended(learner, state))
