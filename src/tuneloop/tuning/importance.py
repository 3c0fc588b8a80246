"""Importance: how much of the difference between trials each dimension explains by itself."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from tuneloop.tuning.space import Space
from tuneloop.tuning.span import Span
from tuneloop.tuning.trials import Trial

CLASSES = 4
"""Classes of equal size that the values of a span are put in."""


def importance(space: Space, trials: Sequence[Trial]) -> dict[str, float]:
    """The share of the spread of the trials' ranks that lies between the values of each dimension, 0 to 1.

    All trials are compared at the smallest share of training that any was measured at. Ranks are taken, since one
    trial that diverged would else be all the spread; and as many trials by chance alone would show some share, that
    much is taken off.

    Source:
        One-way analysis of variance with the adjusted share of Kelley, An Unbiased Correlation Ratio Measure, 1935,
        equation 14 (epsilon squared).

    Args:
        space: What was varied.
        trials: What was tried.

    Returns:
        The share by path, the largest first; a path that counted in too few trials is left out.
    """
    low = min((share for trial in trials for share, _ in trial.scores), default=1.0)
    scored = [(trial, score) for trial in trials if (score := trial.at(low)) is not None and math.isfinite(score)]
    found: dict[str, float] = {}
    for path, dimension in space.dimensions.items():
        here = [(trial.values[path], score) for trial, score in scored if path in trial.values]
        classes = _classes([value for value, _ in here], dimension)
        if len(here) > len(set(classes)) > 1:
            found[path] = _between(classes, _ranks([score for _, score in here]))
    return dict(sorted(found.items(), key=lambda entry: -entry[1]))


def _classes(values: list[Any], dimension: list[Any] | Span) -> list[int]:
    """The class of each value: the choice, or for a span where it stands among the others."""
    if not isinstance(dimension, Span):
        return [dimension.index(value) for value in values]
    order = _ranks([float(value) for value in values])
    count = max(2, min(CLASSES, len(values) // 3))
    return [min(count - 1, int(rank * count / max(1, len(values)))) for rank in order]


def _ranks(values: list[float]) -> list[float]:
    """The place of each value among all, from 0; equal values share the mean of theirs."""
    order = sorted(values)
    first = {value: order.index(value) for value in set(values)}
    return [first[value] + (order.count(value) - 1) / 2 for value in values]


def _between(classes: list[int], ranks: list[float]) -> float:
    count, kinds = len(ranks), set(classes)
    mean = sum(ranks) / count
    total = sum((rank - mean) ** 2 for rank in ranks)
    within = 0.0
    for kind in kinds:
        mine = [rank for rank, other in zip(ranks, classes, strict=True) if other == kind]
        within += sum((rank - sum(mine) / len(mine)) ** 2 for rank in mine)
    if total == 0:
        return 0.0
    return max(0.0, 1 - within / (count - len(kinds)) * (count - 1) / total)
