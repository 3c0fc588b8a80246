"""Pairs: whether two models differ, judged row by row, and how small a difference so many rows could show.

Both models met the same rows, so their difference is far better known than either score: hard rows are hard for both.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

import msgspec

from tuneloop.evaluation.interval import bootstrap, quantile, right_or_wrong, wilson

FLIPS = 10_000
"""Draws of a permutation test; fewer rows than a dozen are flipped in every way there is."""
MANY = 2000
"""Rows from which on the mean difference is as good as normal."""
POWER = 0.8
"""How often a difference of the detectable size is found."""


class Paired(msgspec.Struct, frozen=True):
    """The difference of two models in one figure.

    Attributes:
        difference: Mean of the second minus mean of the first.
        low: Lower end of its interval.
        high: Upper end of its interval.
        n: Rows that both were measured on.
        p: How often chance alone would give a difference as large, if the two were equally good (two-sided).
        test: ``mcnemar`` (exact, of right and wrong) or ``permutation`` (of everything else).
        higher: Rows on which the second has the higher figure.
        lower: Rows on which it has the lower one.
        detectable: The smallest true difference that so many rows show four times in five.
    """

    difference: float
    low: float
    high: float
    n: int
    p: float
    test: str
    higher: int
    lower: int
    detectable: float


def compare(
    first: Sequence[float],
    second: Sequence[float],
    *,
    seed: int,
    weights: Sequence[float] | None = None,
    confidence: float = 0.95,
) -> Paired:
    """Compare two models by the figures of the same rows.

    Args:
        first: The figure of the first model on each row; at least one row.
        second: That of the second, in the same order.
        seed: Seed of the draws.
        weights: With sums in place of means: the terms that each row's sum is of.
        confidence: How surely the interval holds the difference over all such rows.

    Source:
        McNemar, Note on the sampling error of the difference between correlated proportions, 1947 (here exact);
        Newcombe, Improved confidence intervals for the difference between binomial proportions based on paired
        data, 1998, method 10; Efron and Tibshirani, An Introduction to the Bootstrap, 1993, section 15.2
        (permutation of signs).

    Example:
        >>> found = compare([0.0] * 10 + [1.0] * 10, [1.0] * 20, seed=0)
        >>> found.difference, found.test, round(found.p, 4), found.higher
        (0.5, 'mcnemar', 0.002, 10)
    """
    changes = [after - before for before, after in zip(first, second, strict=True)]
    higher, lower = sum(change > 0 for change in changes), sum(change < 0 for change in changes)
    n = len(changes)
    if weights is None and right_or_wrong(first) and right_or_wrong(second):
        low, high = newcombe(first, second, confidence)
        p, test = mcnemar(higher, lower), "mcnemar"
        least = detectable(changes, shares=True)
        return Paired(sum(changes) / n, low, high, n, p, test, higher, lower, least)
    bounds = bootstrap(changes, seed=seed, weights=weights, confidence=confidence)
    scale = 1.0 if weights is None else n / sum(weights)
    least = detectable([change * scale for change in changes])
    p = permutation(changes, seed=seed)
    return Paired(bounds.mean, bounds.low, bounds.high, n, p, "permutation", higher, lower, least)


def mcnemar(higher: int, lower: int) -> float:
    """How often a fair coin falls at least as unevenly as ``higher`` to ``lower``: the exact, two-sided test.

    Example:
        >>> round(mcnemar(9, 1), 6), mcnemar(5, 5)
        (0.021484, 1.0)
    """
    n, least = higher + lower, min(higher, lower)
    tail = math.fsum(math.exp(_log_choose(n, k) - n * math.log(2)) for k in range(least + 1))
    return min(1.0, 2 * tail)


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def permutation(changes: Sequence[float], *, seed: int) -> float:
    """How often the sum of differences would be as far from zero if each of them could as well have the other sign.

    Args:
        changes: A difference per row.
        seed: Seed of the 10,000 draws; up to a dozen differences are tried with all signs, and from 2,000 on the
            normal distribution stands in for the draws.
    """
    import numpy as np

    moved = np.array([change for change in changes if change], dtype=np.float64)
    if not len(moved):
        return 1.0
    total, size = abs(moved.sum()), float(np.sqrt((moved**2).sum()))
    if len(moved) >= MANY:
        return float(math.erfc(total / size / math.sqrt(2)))
    if len(moved) <= 12:
        places = np.arange(2 ** len(moved))[:, None] >> np.arange(len(moved))
        sums = ((places & 1) * 2 - 1) @ moved
        return float((abs(sums) >= total - 1e-9 * size).mean())
    random = np.random.default_rng(seed)
    rounds = [(random.integers(0, 2, (FLIPS // 10, len(moved))) * 2 - 1) @ moved for _ in range(10)]
    reached = sum(int((abs(sums) >= total - 1e-9 * size).sum()) for sums in rounds)
    return (1 + reached) / (1 + FLIPS)


def newcombe(first: Sequence[float], second: Sequence[float], confidence: float = 0.95) -> tuple[float, float]:
    """The interval of the difference of two shares that were found on the same rows (Newcombe's method 10)."""
    n = len(first)
    both = sum(a == b == 1 for a, b in zip(first, second, strict=True))
    up, down = (sum(a < b for a, b in zip(*pair, strict=True)) for pair in ((first, second), (second, first)))
    neither = n - both - up - down
    one, two = wilson(both + up, n, confidence), wilson(both + down, n, confidence)
    product = (both + up) * (down + neither) * (both + down) * (up + neither)
    agreement = float(both * neither - up * down)
    if agreement > 0:
        agreement = max(agreement - n / 2, 0.0)
    bond = agreement / math.sqrt(product) if product else 0.0
    difference = (up - down) / n

    def reach(a: float, b: float) -> float:
        return math.sqrt(max(0.0, a * a - 2 * bond * a * b + b * b))

    low = difference - reach(one.mean - one.low, two.high - two.mean)
    high = difference + reach(one.high - one.mean, two.mean - two.low)
    return max(-1.0, low), min(1.0, high)


def detectable(changes: Sequence[float], *, shares: bool = False) -> float:
    """The smallest true difference that so many rows of this kind would show with 80 % power at 5 % error.

    Args:
        changes: A difference per row, for how widely they scatter.
        shares: Whether they are of right and wrong: then six rows at least must change, all the same way, before
            the exact test says anything.

    Formula:
        ``(z(0.975) + z(0.8)) * deviation / sqrt(rows)``
    """
    n = len(changes)
    middle = sum(changes) / n
    deviation = math.sqrt(sum((change - middle) ** 2 for change in changes) / max(1, n - 1))
    least = (quantile(0.95) + NormalDist().inv_cdf(POWER)) * deviation / math.sqrt(n)
    return max(least, 6 / n) if shares else least


def holm(chances: Sequence[float]) -> list[float]:
    """Raise p-values so that among all of them one false alarm is no likelier than in a single test.

    Source:
        Holm, A simple sequentially rejective multiple test procedure, 1979.

    Example:
        >>> [round(p, 2) for p in holm([0.01, 0.04, 0.03])]
        [0.03, 0.06, 0.06]
    """
    order = sorted(range(len(chances)), key=chances.__getitem__)
    found, highest = [0.0] * len(chances), 0.0
    for rank, place in enumerate(order):
        highest = max(highest, min(1.0, chances[place] * (len(chances) - rank)))
        found[place] = highest
    return found
