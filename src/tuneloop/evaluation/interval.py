"""Intervals: how far a mean over a few hundred rows may lie from the mean over all such rows."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

RESAMPLES = 2000
Z95 = 1.959963984540054


class Mean(msgspec.Struct, frozen=True):
    """The mean of one figure over rows, with its 95 % interval.

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


def mean(values: Sequence[float], *, seed: int) -> Mean:
    """Average scores and bound the average.

    Scores that are all 0 or 1 (right or wrong) get the Wilson interval, because drawing again from 180 right
    answers can only give 180 right answers, which would claim certainty. All others get the bootstrap interval.

    Args:
        values: One score per row; at least one.
        seed: Seed of the bootstrap.

    Source:
        Efron and Tibshirani, An Introduction to the Bootstrap, 1993, section 13.3 (percentile interval);
        Wilson, Probable Inference, 1927.

    Example:
        >>> round(mean([1.0] * 180, seed=0).low, 3)
        0.979
    """
    if all(value in (0.0, 1.0) for value in values):
        return wilson(sum(1 for value in values if value), len(values))
    return bootstrap(values, seed=seed)


def wilson(right: int, n: int) -> Mean:
    """Share of right answers with the Wilson 95 % interval.

    Formula:
        ``(p + z^2/2n +- z * sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n)`` with ``z = 1.96``.
    """
    share, square = right / n, Z95 * Z95 / n
    middle = (share + square / 2) / (1 + square)
    reach = Z95 * math.sqrt(share * (1 - share) / n + square / (4 * n)) / (1 + square)
    low = 0.0 if right == 0 else middle - reach
    high = 1.0 if right == n else middle + reach
    return Mean(share, low, high, n)


def bootstrap(values: Sequence[float], *, seed: int) -> Mean:
    """Mean with the 95 % percentile interval of 2,000 means of rows drawn with replacement."""
    import numpy as np

    rows = np.asarray(values, dtype=np.float64)
    random = np.random.default_rng(seed)
    means = [rows[random.integers(0, len(rows), len(rows))].mean() for _ in range(RESAMPLES)]
    low, high = np.quantile(means, [0.025, 0.975])
    return Mean(float(rows.mean()), float(low), float(high), len(rows))
