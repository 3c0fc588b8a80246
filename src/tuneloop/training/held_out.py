"""Held out: the loss of the rows that are not learned from, and the rows whose loss is no number."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from tuneloop.tasks import Batch
from tuneloop.training.backoff import fitting
from tuneloop.training.encoded import Encoded
from tuneloop.training.processes.pace import in_step
from tuneloop.training.signals.details import Lost, gathered, loss_figures, placed, to_host
from tuneloop.training.signals.failure import NotFinite

if TYPE_CHECKING:
    from tuneloop.training.loop import Learner


def held_out(learner: Learner) -> dict[str, float]:
    """Mean loss of the validation split, in nats per supervised term, without dropout, and the task's own figures.

    Raises:
        NotFinite: It is not finite.
    """
    return measured(learner)[0]


def measured(learner: Learner, step: int = 0) -> tuple[dict[str, float], np.ndarray]:
    """The figures of the validation split by their signals' names, and an entry for each of its rows.

    Args:
        learner: Its model is measured, by all processes together.
        step: The optimizer step after which it is measured.

    Raises:
        NotFinite: The loss is not finite.
    """
    rows = learner.validation
    indices = rows.lengths.argsort(kind="stable")[::-1].tolist()
    total, supervised, lost = _passes(learner, indices)
    figures, losses, _ = to_host({"": total}, lost)
    places, entries = placed(learner.details.validation if learner.details else None, lost.rows, losses, chances=True)
    summed, entries = gathered(learner.ranks, {**figures, "terms": supervised, **places}, entries)
    entries["step"] = step
    by_place = loss_figures(summed)
    loss = summed.pop("") / max(1, summed.pop("terms"))
    if not math.isfinite(loss):
        raise NotFinite.of(
            learner.model,
            f"the held-out loss is {loss}",
            where=f"validation rows such as {', '.join(not_finite(learner, rows, indices)) or rows.origins[0]}",
            fix="take these rows out, or lower train.optimizer learning_rate",
            split="validation",
            step=step,
            figures={"validation/loss": loss},
            rows=entries,
        )
    told = by_place | learner.task.figures(summed)
    return {"validation/loss": loss} | {f"validation/{name}": value for name, value in told.items()}, entries


def _passes(learner: Learner, indices: list[int]) -> tuple[torch.Tensor, int, Lost]:
    """This process's share of the summed loss, of the supervised terms, and what the task tells besides."""
    rows, most = learner.validation, learner.plan.micro
    total = torch.zeros((), dtype=torch.float64, device=learner.precision.device)
    supervised, lost = 0, Lost(learner.details is not None)
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
                lost.take(batch, weight)
    learner.model.train()
    return total, supervised, lost


def not_finite(learner: Learner, rows: Encoded, indices: list[int]) -> list[str]:
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
