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
from collections.abc import Callable
from dataclasses import dataclass

import psutil
import torch
from torch import nn

from tuneloop.errors import TrainingError
from tuneloop.monitoring.progress import Progress
from tuneloop.monitoring.recorder import Recorder
from tuneloop.tasks import Task
from tuneloop.training.batches import batches, order
from tuneloop.training.checkpoints import Checkpoints
from tuneloop.training.encoded import Encoded
from tuneloop.training.interrupt import Asked, Stopped
from tuneloop.training.plan import Plan
from tuneloop.training.precision import Precision
from tuneloop.training.section import TrainSection
from tuneloop.training.state import State

__all__ = ["Learner", "Stopped", "learn", "run", "update"]


@dataclass(frozen=True)
class Learner:
    """What learns, from what, and how: fixed from the first step to the last."""

    model: nn.Module
    task: Task
    section: TrainSection
    plan: Plan
    optimizer: torch.optim.Optimizer
    precision: Precision
    train: Encoded
    validation: Encoded
    pad: int
    seed: int

    @property
    def weights(self) -> list[nn.Parameter]:
        """The weights that learn."""
        return [weight for group in self.optimizer.param_groups for weight in group["params"]]


def run(
    learner: Learner,
    state: State,
    *,
    checkpoints: Checkpoints,
    recorder: Recorder,
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
        recorder.write(0, {"validation/loss": held_out_loss(learner)})
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
        if _saves(learner, state) or asked.signal:
            state.signals = recorder.flush()
            checkpoints.save(state)
        if asked.signal and not ended(learner, state):
            raise Stopped(state.step, plan.steps, asked.signal)
    return reason


def ended(learner: Learner, state: State) -> str:
    """Why the run is over: ``steps`` or ``patience``; empty while it is not."""
    stop = learner.section.stop
    if state.step >= learner.plan.steps:
        return "steps"
    if stop and state.held_out and state.waited(stop.min_delta) >= stop.patience:
        return "patience"
    return ""


def held_out_loss(learner: Learner) -> float:
    """Mean loss of the validation split, in nats per supervised token, without dropout.

    Raises:
        TrainingError: It is not finite.
    """
    rows = learner.validation
    device = learner.precision.device
    total = torch.zeros((), dtype=torch.float64, device=device)
    supervised = 0
    most = learner.plan.micro
    indices = rows.lengths.argsort(kind="stable")[::-1].tolist()
    learner.model.eval()
    with torch.no_grad():
        for start in range(0, len(indices), most * 8):
            part = indices[start : start + most * 8]
            for batch in batches(rows, part, learner.task, pad=learner.pad, most=most, device=device):
                with learner.precision.forward():
                    total += learner.task.loss(learner.model, batch).double()
                supervised += batch.supervised
    learner.model.train()
    loss = total.item() / max(1, supervised)
    if not math.isfinite(loss):
        raise TrainingError(
            f"the held-out loss is {loss}",
            where=f"validation rows such as {', '.join(_not_finite(learner, rows, indices)) or rows.origins[0]}",
            fix="take these rows out, or lower train.optimizer learning_rate",
        )
    return loss


def _step(learner: Learner, state: State) -> dict[str, float]:
    """Make one optimizer step, count it, and give its figures."""
    began = time.perf_counter()
    rows, section, count = learner.train, learner.section, len(learner.train)
    indices = order(count, seed=learner.seed, epoch=state.epoch)[state.row : state.row + section.batch.size].tolist()
    factor = section.schedule.at(state.step, learner.plan.steps, state.losses)
    rate = section.optimizer.learning_rate * factor
    for group in learner.optimizer.param_groups:
        group["lr"] = rate * group["pace"]
    loss, norm, tokens, supervised = learn(learner, indices)
    if not math.isfinite(loss) or (not math.isfinite(norm) and learner.precision.scaler is None):
        what = f"the loss is {loss}" if not math.isfinite(loss) else f"the gradient's norm is {norm}"
        named = _not_finite(learner, rows, indices) or [rows.origins[index] for index in indices[:5]]
        raise TrainingError(
            f"{what} at step {state.step + 1}; the last good checkpoint is kept",
            where=f"rows of that step: {', '.join(named)}",
            fix=f"look at these rows; else lower the learning rate (now {rate:.2g}) or set train.max_grad_norm",
        )
    update(learner)
    state.went(rows=len(indices), tokens=tokens, learned=supervised, rate=rate, of=count)
    return {
        "train/loss": loss,
        "train/learning_rate": rate,
        "train/grad_norm": norm if math.isfinite(norm) else 0.0,
        "train/tokens_per_second": tokens / (time.perf_counter() - began),
        "train/memory_mb": memory_mb(learner.precision.device),
        "train/epoch": state.epoch + state.row / count,
    }


def learn(learner: Learner, indices: list[int]) -> tuple[float, float, int, int]:
    """Put the gradient of some rows' mean loss into the weights, clipped.

    Args:
        learner: What learns.
        indices: Rows of ``learner.train``.

    Returns:
        Loss in nats per supervised token, norm of the gradient before clipping, tokens, supervised tokens.
    """
    precision = learner.precision
    device = precision.device
    parts = list(batches(learner.train, indices, learner.task, pad=learner.pad, most=learner.plan.micro, device=device))
    supervised = sum(batch.supervised for batch in parts)
    total = torch.zeros((), device=device)
    learner.optimizer.zero_grad(set_to_none=True)
    for batch in parts:
        if batch.supervised == 0:
            continue
        with precision.forward():
            loss = learner.task.loss(learner.model, batch) / supervised
        torch.autograd.backward(precision.scaler.scale(loss) if precision.scaler else loss)
        total += loss.detach()
    if precision.scaler:
        precision.scaler.unscale_(learner.optimizer)
    gradients = [weight.grad for weight in learner.weights if weight.grad is not None]
    norm = nn.utils.get_total_norm(gradients)
    if learner.section.max_grad_norm is not None:
        nn.utils.clip_grads_with_norm_(learner.weights, learner.section.max_grad_norm, norm)
    loss_value, norm_value = torch.stack((total, norm.to(total))).tolist()
    return loss_value, norm_value, sum(batch.tokens for batch in parts), supervised


def update(learner: Learner) -> None:
    """Make the optimizer's step with the gradients that are in the weights."""
    scaler = learner.precision.scaler
    if scaler is None:
        learner.optimizer.step()
    else:
        scaler.step(learner.optimizer)  # leaves the step out if a scaled gradient overflowed
        scaler.update()


def _evaluate(learner: Learner, state: State, recorder: Recorder, progress: Progress) -> None:
    loss = held_out_loss(learner)
    state.held_out.append((state.step, loss))
    recorder.write(state.step, {"validation/loss": loss})
    progress.advance(state.step, {"validation/loss": loss})


def _saves(learner: Learner, state: State) -> bool:
    best = state.best
    new_best = best is not None and best[0] == state.step
    return learner.plan.saves(state.step) or new_best or bool(ended(learner, state))


def _not_finite(learner: Learner, rows: Encoded, indices: list[int]) -> list[str]:
    """Origins of up to five rows whose loss, computed alone, is not finite."""
    found: list[str] = []
    device = learner.precision.device
    with torch.no_grad():
        for index in indices:
            (batch,) = batches(rows, [index], learner.task, pad=learner.pad, most=1, device=device)
            with learner.precision.forward():
                loss = learner.task.loss(learner.model, batch).item()
            if not math.isfinite(loss):
                found.append(rows.origins[index])
            if len(found) == 5:
                break
    return found


def memory_mb(device: torch.device) -> float:
    """Memory of this process: the most that the device held, or what is resident on a CPU, in 10^6 bytes."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e6
    resident: int = psutil.Process().memory_info().rss
    return resident / 1e6
