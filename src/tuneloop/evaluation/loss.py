"""Loss and perplexity over all rows of a split, without generation."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from tuneloop.errors import DataError, ModelError
from tuneloop.monitoring.progress import Progress
from tuneloop.rows import Drop, Record
from tuneloop.tasks import Batch, Example, Task

if TYPE_CHECKING:
    import torch

    from tuneloop.models import Loaded

LOGITS = 2**28  # so many fp32 logits of one batch are 1 GiB


class HeldOut(msgspec.Struct, frozen=True):
    """How well a model predicts the tokens of held-out rows.

    Attributes:
        loss: Mean loss, in nats per supervised token.
        perplexity: ``exp(loss)``: among how many equally likely tokens the model seems to choose.
        tokens: Supervised tokens that were predicted.
        rows: Rows they belong to.
        dropped: Rows that could not be encoded, by reason.
    """

    loss: float
    perplexity: float
    tokens: int
    rows: int
    dropped: dict[str, int]


def held_out(
    loaded: Loaded, records: Sequence[Record], task: Task, max_length: int, progress: Progress, what: str = "loss"
) -> HeldOut:
    """Measure the loss of a model on rows.

    Args:
        loaded: The model with its tokenizer.
        records: The rows.
        task: What turns them into tokens and tokens into a loss.
        max_length: Tokens of the longest row, as in training.
        progress: Told how many examples have been measured.
        what: What the progress is of.

    Raises:
        DataError: No row has a token to predict.
        ModelError: The loss is not a number.
    """
    import torch

    examples, dropped = encode(loaded, records, task, max_length)
    progress.start(what, len(examples))
    config: Any = loaded.model.config
    total, tokens, done = 0.0, 0, 0
    with torch.inference_mode():
        for part in by_length(examples, config.get_text_config().vocab_size):
            batch = _to(task.collate(part, loaded.tokenizer.pad_id), loaded.device)
            total += float(task.loss(loaded.model, batch))
            tokens += batch.supervised
            done += len(part)
            progress.advance(done)
    if tokens == 0:
        raise DataError(
            f"none of the {len(records)} rows has a token to predict: {dropped}",
            where="evaluate.split",
            fix="raise train.max_length, or look at the rows: tuneloop show DATASET",
        )
    if not math.isfinite(total):
        raise ModelError(
            f"the loss on held-out rows is {total}",
            where="evaluate",
            fix="the weights are damaged: train again with a lower learning_rate",
        )
    loss = total / tokens
    rows = len({example.record for example in examples})
    return HeldOut(loss, math.exp(min(loss, 700.0)), tokens, rows, dropped)


def encode(
    loaded: Loaded, records: Sequence[Record], task: Task, max_length: int
) -> tuple[list[Example], dict[str, int]]:
    """Turn records into examples, and count those that give none by their reason."""
    examples: list[Example] = []
    dropped: dict[str, int] = {}
    for record in records:
        found = task.encode(record, loaded.tokenizer, max_length)
        if isinstance(found, Drop):
            dropped[found.reason] = dropped.get(found.reason, 0) + 1
        else:
            examples += found
    return examples, dropped


def by_length(examples: Sequence[Example], vocabulary: int) -> Iterator[list[Example]]:
    """Group examples of like length, so that little is padded and the logits of a batch stay below 1 GiB.

    Args:
        examples: In any order.
        vocabulary: Logits per token.
    """
    room = max(1, min(8192, LOGITS // vocabulary))
    part: list[Example] = []
    for example in sorted(examples, key=lambda example: (len(example.ids), example.record)):
        if part and (len(part) + 1) * len(example.ids) > room:
            yield part
            part = []
        part.append(example)
    if part:
        yield part


def _to(batch: Batch, device: torch.device) -> Batch:
    moved = {name: getattr(batch, name).to(device) for name in ("ids", "mask", "labels")}
    return dataclasses.replace(batch, **moved)
