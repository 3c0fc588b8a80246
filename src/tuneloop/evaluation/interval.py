"""Intervals: how far a mean over a few hundred rows may lie from the mean over all such rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

import msgspec

RESAMPLES = 2000
DRAWN = 1 << 18
"""Rows that are drawn in one go."""
MANY = 5000
"""Rows from which on a mean is as good as normal, and drawing again would only cost time."""


class Mean(msgspec.Struct, frozen=True):
    """The mean of one figure over rows, with its interval (95 %, unless it was asked for another).

    Attributes:
        mean: The mean.
        low: Lower end of the interval.
        high: Upper end of the interval.
        n: Rows that were measured.
    """

    mean: float
    low: float
    high: float
    n: int


def mean(values: Sequence[float], *, seed: int, confidence: float = 0.95) -> Mean:
    """Average scores and bound the average.

    Scores that are all 0 or 1 (right or wrong) get the Wilson interval, because drawing again from 180 right
    answers can only give 180 right answers, which would claim certainty. All others get the bootstrap interval.

    Args:
        values: One score per row; at least one.
        seed: Seed of the bootstrap.
        confidence: How surely the interval holds the mean over all such rows.

    Source:
        Efron and Tibshirani, An Introduction to the Bootstrap, 1993, section 13.3 (percentile interval);
        Wilson, Probable Inference, 1927.

    Example:
        >>> round(mean([1.0] * 180, seed=0).low, 3)
        0.979
    """
    if right_or_wrong(values):
        return wilson(sum(1 for value in values if value), len(values), confidence)
    return bootstrap(values, seed=seed, confidence=confidence)


def right_or_wrong(values: Sequence[float]) -> bool:
    """Whether scores know nothing between right (1) and wrong (0)."""
    return all(value in (0.0, 1.0) for value in values)


def quantile(confidence: float) -> float:
    """So many standard errors a two-sided interval reaches to each side.

    Example:
        >>> round(quantile(0.95), 4)
        1.96
    """
    return NormalDist().inv_cdf(0.5 + confidence / 2)


def wilson(right: int, n: int, confidence: float = 0.95) -> Mean:
    """Share of right answers with the Wilson interval.

    Formula:
        ``(p + z^2/2n +- z * sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n)``, with ``z = 1.96`` for 95 %.
    """
    z = quantile(confidence)
    share, square = right / n, z * z / n
    middle = (share + square / 2) / (1 + square)
    reach = z * math.sqrt(share * (1 - share) / n + square / (4 * n)) / (1 + square)
    low = 0.0 if right == 0 else middle - reach
    high = 1.0 if right == n else middle + reach
    return Mean(share, low, high, n)


def bootstrap(
    values: Sequence[float], *, seed: int, weights: Sequence[float] | None = None, confidence: float = 0.95
) -> Mean:
    """Mean with the percentile interval of 2,000 means of rows drawn with replacement.

    Args:
        values: One value per row; with ``weights``, one sum per row.
        seed: Seed of the draws.
        weights: How many terms each row's sum is of: the mean is then over terms, and rows are still drawn whole.
        confidence: How surely the interval holds the mean over all such rows.

    From 5,000 rows on the interval is the normal one, of the ratio's linearised values where there are weights.
    """
    import numpy as np

    sums = np.asarray(values, dtype=np.float64)
    terms = np.ones_like(sums) if weights is None else np.asarray(weights, dtype=np.float64)
    middle = float(sums.sum() / terms.sum())
    if len(sums) >= MANY:
        errors = (sums - middle * terms) / terms.mean()
        reach = quantile(confidence) * float(errors.std(ddof=1)) / math.sqrt(len(sums))
        return Mean(middle, middle - reach, middle + reach, len(sums))
    random = np.random.default_rng(seed)
    together = max(1, DRAWN // len(sums))
    means = []
    for begin in range(0, RESAMPLES, together):
        rows = random.integers(0, len(sums), (min(together, RESAMPLES - begin), len(sums)))
        means.append(sums[rows].sum(1) / terms[rows].sum(1))
    low, high = np.quantile(np.concatenate(means), [(1 - confidence) / 2, (1 + confidence) / 2])
    return Mean(middle, float(low), float(high), len(sums))
