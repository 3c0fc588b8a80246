"""Own template: what a model expects of the rows under the chat template that it came with, beside another."""

from __future__ import annotations

from itertools import chain, islice
from typing import TYPE_CHECKING

import numpy as np

from tuneloop.models import Tokenizer
from tuneloop.monitoring.progress import Silent
from tuneloop.rows import Record
from tuneloop.tasks import Tokens
from tuneloop.training.encoded import encode
from tuneloop.training.signals.passes import row_losses

if TYPE_CHECKING:
    from tuneloop.models import Loaded
    from tuneloop.store import Dataset
    from tuneloop.training.loop import Learner

MOST = 32
"""Rows that are measured."""
LEAST = 5


def compared(learner: Learner, loaded: Loaded, dataset: Dataset) -> dict[str, float]:
    """Measure some rows, before the first step, under the template that is used and under the model's own.

    Args:
        learner: Ready to learn.
        loaded: Its model, whose base came with a chat template.
        dataset: Where the rows came from; held-out ones first; none of them has been learned yet.

    Returns:
        ``template/used_loss`` and ``template/own_loss``: means over the rows, each in nats per learned token; and
        ``template/error``, the standard error of their difference. Nothing for tasks without answers.
    """
    if learner.task.term != "token" or learner.task.choices or learner.section.parallel.in_step:
        return {}
    splits = (dataset.records(name) for name in ("validation", "train") if len(getattr(learner, name)))
    records = list(islice(chain.from_iterable(splits), MOST))
    section = loaded.section
    own = Tokenizer.load(
        loaded.base.folder,
        trust_remote_code=section.trust_remote_code,
        new_tokens=section.new_tokens,
        new_special_tokens=section.new_special_tokens,
    )
    used, kept = _measured(learner, records, loaded.tokenizer), _measured(learner, records, own)
    both = sorted(used.keys() & kept.keys())
    if len(both) < LEAST:
        return {}
    one, other = (np.array([losses[name] for name in both]) for losses in (used, kept))
    error = float((one - other).std(ddof=1) / len(both) ** 0.5)
    return {
        "template/used_loss": float(one.mean()),
        "template/own_loss": float(other.mean()),
        "template/error": error,
    }


def _measured(learner: Learner, records: list[Record], tokenizer: Tokenizer) -> dict[str, float]:
    """Mean loss of each record under a tokenizer's template, by its id."""
    rows = encode(records, learner.task, tokenizer, learner.section.max_length, progress=Silent())
    if not len(rows):
        return {}
    losses, _ = row_losses(learner, [Tokens(rows[row].ids, rows[row].learn) for row in range(len(rows))])
    return dict(zip(rows.records, losses.tolist(), strict=True))
