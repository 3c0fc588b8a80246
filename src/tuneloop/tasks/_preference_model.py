"""Log-probabilities of whole answers under a model, and the loss of a batch of them."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from tuneloop.models.logits import token_losses
from tuneloop.tasks import Batch
from tuneloop.tasks import _preference_losses as losses

if TYPE_CHECKING:
    from tuneloop.tasks.preference import Preference

REFERENCE_FREE = ("simpo", "orpo")
"""Losses that look at the model alone."""


def logps(model: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
    """Log-probabilities of the labelled tokens of every sequence, and how many there are.

    Returns:
        Sums, in nats, with gradient, and numbers of tokens, both ``(sequences,)``, fp32.
    """
    labelled = batch.labels != -100
    spread = torch.zeros(labelled.shape, dtype=torch.float32, device=labelled.device)
    spread = spread.masked_scatter(labelled, -token_losses(model, batch.ids, batch.labels, batch.ends))
    counts = labelled.to(spread.dtype)
    if not batch.ends:
        return spread.sum(1), counts.sum(1)
    ends = torch.tensor(batch.ends, device=spread.device)
    lengths = ends.diff(prepend=ends.new_zeros(1))
    sums, numbers = (torch.segment_reduce(each[0], "sum", lengths=lengths, unsafe=True) for each in (spread, counts))
    return sums, numbers


def paired_loss(task: Preference, model: nn.Module, batch: Batch) -> Tensor:
    """Sum of the losses of all pairs; their rewards go to ``batch.figures``."""
    sums, counts = (each.view(-1, 2) for each in logps(model, batch))
    reference = None if task.loss_type in REFERENCE_FREE else _reference(batch)
    each, rewards = compared(task, sums, counts, reference)
    sums, rewards = sums.detach(), rewards.detach()
    pairs = torch.tensor(len(each), device=each.device)
    batch.figures["examples"] = pairs
    for side, name in enumerate(("chosen", "rejected")):
        batch.figures[name] = pairs
        batch.figures[f"rewards/{name}"] = rewards[:, side].sum()
        batch.figures[f"logps/{name}"] = sums[:, side].sum()
    batch.figures["rewards/accuracies"] = (rewards[:, 0] > rewards[:, 1]).sum()
    batch.figures["logps/accuracies"] = (sums[:, 0] > sums[:, 1]).sum()
    batch.each[:] = [each.detach()]
    return each.sum()


def compared(task: Preference, sums: Tensor, counts: Tensor, reference: Tensor | None) -> tuple[Tensor, Tensor]:
    """Losses and rewards of pairs.

    Args:
        task: Which loss, and its options.
        sums: Log-probabilities of chosen and rejected answers, in nats, ``(pairs, 2)``.
        counts: Their tokens, ``(pairs, 2)``.
        reference: ``sums`` as the reference sees them; None for a loss without one.

    Returns:
        Losses, ``(pairs,)``, and rewards, ``(pairs, 2)``: ``beta`` times the log-ratio to the reference, or, without a
        reference, times the log-probability per token.
    """
    means = sums / counts
    chosen, rejected = means.unbind(1)
    if reference is None:
        rewards = task.beta * means
        if task.loss_type == "simpo":
            each = losses.simpo(chosen, rejected, task.beta, task.simpo_gamma, task.label_smoothing)
        else:
            each = losses.orpo(chosen, rejected, task.beta)
    else:
        ratios = sums - reference
        rewards = task.beta * ratios
        if task.loss_type == "ipo":
            ratios = ratios / counts
        apart = ratios[:, 0] - ratios[:, 1]
        if task.loss_type == "ipo":
            each = losses.ipo(apart, task.beta)
        elif task.loss_type == "robust":
            each = losses.robust(apart, task.beta, task.label_smoothing)
        else:
            each = losses.sigmoid(apart, task.beta, task.label_smoothing)
    return (each if task.rpo_alpha is None else each - task.rpo_alpha * chosen), rewards


def judged_loss(task: Preference, model: nn.Module, batch: Batch) -> Tensor:
    """Sum of the losses of all judged answers (KTO); their rewards go to ``batch.figures``."""
    kl = _kl(model, batch)
    sums, _ = logps(model, _every_second(batch, 0))
    ratios = sums - _reference(batch)[:, 0]
    desirable = batch.marks[:, 1] == 1  # type: ignore[index]
    weights = (task.desirable_weight, task.undesirable_weight)
    each = losses.kto(ratios, desirable, task.beta, kl, weights)
    rewards = task.beta * ratios.detach()
    right = (rewards > task.beta * kl) == desirable
    for name, side in (("chosen", desirable), ("rejected", ~desirable)):
        batch.figures[name] = side.sum()
        batch.figures[f"rewards/{name}"] = (rewards * side).sum()
        batch.figures[f"logps/{name}"] = (sums.detach() * side).sum()
    batch.figures["examples"] = torch.tensor(len(right), device=right.device)
    batch.figures["rewards/accuracies"] = right.sum()
    batch.figures["kl"] = torch.tensor(kl * len(right), device=right.device)
    batch.each[:] = [each.detach()]
    return each.sum()


def divergence(model: nn.Module, batch: Batch) -> Tensor:
    """Sum of the log-ratios of answers to *other* prompts, in nats: their mean estimates how far the model has gone.

    As KTO does, this looks at answers that the model did not just learn to give there. Which other row's answer stands
    by a row never changes, so the reference's part is computed once, and the estimate depends neither on how a step's
    rows are cut into batches nor on where a run was interrupted.

    Source:
        Ethayarajh et al., KTO: Model Alignment as Prospect Theoretic Optimization, 2024, the ``z0`` of equation 7.
    """
    sums, _ = logps(model, _every_second(batch, 1))
    return (sums - _reference(batch)[:, 1]).sum(dtype=torch.float64)


def _kl(model: nn.Module, batch: Batch) -> float:
    """The divergence, at least 0; of this batch alone where that of the whole step was not measured."""
    if batch.gauge is not None:
        return max(0.0, batch.gauge)
    with torch.no_grad():
        return max(0.0, divergence(model, batch).item() / batch.supervised)


def _reference(batch: Batch) -> Tensor:
    if batch.values is None:
        raise ValueError("a batch without the log-probabilities of the reference: Task.reference makes them")
    return batch.values


def _every_second(batch: Batch, first: int) -> Batch:
    """The first or the second sequence of every example."""
    if not batch.ends:
        ids, mask, labels = (each[first::2] for each in (batch.ids, batch.mask, batch.labels))
        return dataclasses.replace(batch, ids=ids, mask=mask, labels=labels)
    starts = (0, *batch.ends[:-1])
    spans = list(zip(starts, batch.ends, strict=True))[first::2]
    keep = torch.cat([torch.arange(start, end) for start, end in spans]).to(batch.ids.device)
    ids, mask, labels = (each[:, keep] for each in (batch.ids, batch.mask, batch.labels))
    ends: list[int] = []
    for start, end in spans:
        ends.append((ends[-1] if ends else 0) + end - start)
    return dataclasses.replace(batch, ids=ids, mask=mask, labels=labels, ends=tuple(ends))
