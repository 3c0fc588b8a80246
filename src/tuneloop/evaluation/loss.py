"""Loss over all rows of a split, with perplexity or the figures of the task, without generation."""

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
    """How well a model predicts the tokens of held-out rows, or whatever else its task learns.

    Attributes:
        loss: Mean loss, in nats per supervised term.
        perplexity: ``exp(loss)``: among how many equally likely tokens the model seems to choose; None where the loss
            is not a mean over tokens.
        tokens: Supervised terms: tokens, unless the task says otherwise.
        rows: Rows they belong to.
        dropped: Rows that could not be encoded, by reason.
        figures: The task's own figures.
        each: Sum of the losses and number of terms of each row, by the record's id; empty where the task does not
            tell its terms apart.
    """

    loss: float
    perplexity: float | None
    tokens: int
    rows: int
    dropped: dict[str, int]
    figures: dict[str, float] = {}
    each: dict[str, tuple[float, int]] = {}


def held_out(
    loaded: Loaded,
    records: Sequence[Record],
    task: Task,
    max_length: int,
    progress: Progress,
    what: str = "loss",
    reference: Sequence[torch.Tensor] | None = None,
) -> HeldOut:
    """Measure the loss of a model on rows.

    Args:
        loaded: The model with its tokenizer.
        records: The rows.
        task: What turns them into tokens and tokens into a loss.
        max_length: Tokens of the longest row, as in training.
        progress: Told how many examples have been measured.
        what: What the progress is of.
        reference: What :func:`said_before` gave, where the task's loss compares with another model.

    Raises:
        DataError: No row has a token to predict.
        ModelError: The loss is not a number.
    """
    import torch

    examples, dropped = encode(loaded, records, task, max_length)
    progress.start(what, len(examples))
    total, tokens, done = 0.0, 0, 0
    sums: dict[str, float] = {}
    each: dict[str, tuple[float, int]] = {}
    with torch.inference_mode():
        gauge = _gauge(loaded, examples, task, reference)
        for part, plain in _batches(loaded, examples, task, reference):
            batch = dataclasses.replace(plain, gauge=gauge)
            total += float(task.loss(loaded.model, batch))
            tokens += batch.supervised
            done += len(part)
            _tell_apart(part, batch, each)
            for name, value in batch.figures.items():
                sums[name] = sums.get(name, 0.0) + float(value)
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
    perplexity = math.exp(min(loss, 700.0)) if task.term == "token" else None
    return HeldOut(loss, perplexity, tokens, rows, dropped, task.figures(sums), each)


def _tell_apart(part: Sequence[Example], batch: Batch, each: dict[str, tuple[float, int]]) -> None:
    """Add what a batch's loss is the sum of to the rows that it belongs to."""
    if not batch.each:
        return
    terms = batch.each[0].tolist()
    shares = [1] * len(part) if len(terms) == len(part) else (batch.labels != -100).sum(1).tolist()
    begin = 0
    for example, count in zip(part, shares, strict=True):
        loss, known = each.get(example.record, (0.0, 0))
        each[example.record] = (loss + math.fsum(terms[begin : begin + count]), known + count)
        begin += count


def said_before(
    loaded: Loaded, records: Sequence[Record], task: Task, max_length: int, progress: Progress
) -> list[torch.Tensor]:
    """What the task wants to know of the model that training began with, batch by batch of :func:`held_out`.

    Args:
        loaded: That model.
        records: The rows.
        task: The task; its loss compares with such a model.
        max_length: Tokens of the longest row, as in training.
        progress: Told how many examples have been read.

    Returns:
        A value of the task for each example, in batches; empty where it compares with no model.
    """
    import torch

    says = task.reference()
    if says is None:
        return []
    examples, _ = encode(loaded, records, task, max_length)
    progress.start("reading the rows with the reference", len(examples))
    found: list[torch.Tensor] = []
    with torch.inference_mode():
        for _, batch in _batches(loaded, examples, task, None):
            found.append(says(loaded.model, batch))
            progress.advance(sum(map(len, found)))
    return found


def _batches(
    loaded: Loaded, examples: Sequence[Example], task: Task, reference: Sequence[torch.Tensor] | None
) -> Iterator[tuple[list[Example], Batch]]:
    """The examples in batches of like length: which they are, and side by side on the device."""
    config: Any = loaded.model.config
    for place, part in enumerate(by_length(examples, config.get_text_config().vocab_size)):
        batch = task.collate(part, loaded.tokenizer.pad_id).to(loaded.device)
        yield part, dataclasses.replace(batch, values=reference[place]) if reference else batch


def _gauge(
    loaded: Loaded, examples: Sequence[Example], task: Task, reference: Sequence[torch.Tensor] | None
) -> float | None:
    """What the loss of each batch needs to know of all of them; None where it needs nothing."""
    measure = task.gauge()
    if measure is None or not examples:
        return None
    batches = _batches(loaded, examples, task, reference)
    return sum(float(measure(loaded.model, batch)) for _, batch in batches) / len(examples)


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
    return list(task.joined(examples, max_length)), dropped


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
