"""Groups: the same figures for the rows of one source, one writing, one label, one length."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from tuneloop.evaluation.answers import Answered
from tuneloop.evaluation.interval import Mean, bootstrap, mean
from tuneloop.evaluation.shown import RowLoss
from tuneloop.evaluation.words import script
from tuneloop.rows import Chat, Record
from tuneloop.rows.record import source_of

FEW = 30
"""Rows below which a group says little."""
MOST = 12
"""Groups told of one kind; the rows of rarer ones are told together."""
REST = "all others"


class Group(msgspec.Struct, frozen=True):
    """The figures of some rows.

    Attributes:
        name: Which rows: the source, the writing, the label or the span of characters.
        answered: How many of them were answered.
        rows: How many of them are in the loss.
        scores: Mean with its interval, by model and figure.
    """

    name: str
    answered: int
    rows: int
    scores: dict[str, dict[str, Mean]]


def size(record: Record) -> int:
    """Characters of a row, all its texts together."""
    content: Any = record.content
    if isinstance(content, Chat):
        return sum(len(message.content) for message in content.messages)
    return sum(len(text) for text in _texts(msgspec.to_builtins(content)))


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for each in inner for text in _texts(each)]


def grouped(
    answered: Sequence[Answered], losses: Sequence[RowLoss], metrics: Sequence[str], labels: bool, seed: int
) -> dict[str, list[Group]]:
    """Tell the figures apart by source, writing, length and label; a kind with one group only is left out.

    Args:
        answered: The rows that were answered, with their scores.
        losses: The rows whose loss was measured.
        metrics: Scores of answers.
        labels: Whether the references are labels.
        seed: Seed of the intervals.
    """
    sizes = {row.record: row.size for row in answered} | {row.record: row.size for row in losses}
    spans = _spans(list(sizes.values()))
    kinds: dict[str, Callable[[Any], str | None]] = {
        "source": lambda row: source_of(row.origin),
        "writing": lambda row: script(row.prompt) if isinstance(row, Answered) else None,
        "length": lambda row: next(name for name, most in spans if row.size <= most),
    }
    if labels:
        kinds["label"] = lambda row: row.reference if isinstance(row, Answered) else None
    found = {name: _told(kind, answered, losses, metrics, seed) for name, kind in kinds.items()}
    return {name: groups for name, groups in found.items() if len(groups) > 1}


def _told(
    kind: Callable[[Any], str | None],
    answered: Sequence[Answered],
    losses: Sequence[RowLoss],
    metrics: Sequence[str],
    seed: int,
) -> list[Group]:
    known = {row.record: name for row in answered if (name := kind(row)) is not None}
    known |= {row.record: name for row in losses if (name := kind(row)) is not None}
    counts = Counter(known.values())
    common = {name for name, _ in counts.most_common(MOST)} if len(counts) > MOST + 1 else set(counts)
    of = {record: name if name in common else REST for record, name in known.items()}
    names = [name for name in counts if name in common]
    names = [*sorted(names, key=lambda name: _first(name, counts)), *([REST] if len(common) < len(counts) else [])]
    return [
        _group(
            name,
            [row for row in answered if of.get(row.record) == name],
            [row for row in losses if of.get(row.record) == name],
            metrics,
            seed,
        )
        for name in names
    ]


def _first(name: str, counts: Mapping[str, int]) -> tuple[Any, ...]:
    """Spans of characters in their order, all else by the number of rows."""
    low = name.split(" ")[0].replace(",", "")
    return (0, int(low)) if name.endswith(" characters") and low.isdigit() else (1, -counts[name], name)


def _group(
    name: str, answered: Sequence[Answered], losses: Sequence[RowLoss], metrics: Sequence[str], seed: int
) -> Group:
    sides = list(dict.fromkeys([*(losses[0].loss if losses else ()), *(answered[0].scores if answered else ())]))
    scores: dict[str, dict[str, Mean]] = {side: {} for side in sides}
    for side, told in scores.items():
        if losses:
            sums, terms = [row.loss[side] for row in losses], [row.terms[side] for row in losses]
            told["loss"] = bootstrap(sums, weights=terms, seed=seed)
        if answered:
            told |= {metric: mean([row.scores[side][metric] for row in answered], seed=seed) for metric in metrics}
    return Group(name, len(answered), len(losses), scores)


def _spans(sizes: Sequence[int]) -> list[tuple[str, int]]:
    """Up to four spans of characters that hold about as many rows each: name and longest row of each.

    Example:
        >>> _spans([3, 5, 9, 20, 40, 80, 100, 1000])[1:3]
        [('6 to 20 characters', 20), ('21 to 80 characters', 80)]
    """
    ordered = sorted(sizes)
    if not ordered:
        return []
    ends = sorted({ordered[max(0, len(ordered) * part // 4 - 1)] for part in range(1, 5)})
    starts = [ordered[0], *(end + 1 for end in ends)]
    return [(f"{low:,} to {high:,} characters", high) for low, high in zip(starts, ends, strict=False)]
