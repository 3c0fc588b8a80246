"""What a noisy curve says: levels and changes, each with its standard error.

Losses of neighbouring steps are not independent (the same rows come again, the weights move slowly), and a few steps
may lie far out. So levels are told with an error that knows of autocorrelation, scatter is taken robustly, and what two
evaluations measured on the same rows is compared row by row.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np

    from tuneloop.monitoring.history import History
    from tuneloop.monitoring.row_losses import RowLosses

_NORMAL = 1.4826
"""Standard deviation of a normal variable over its median absolute deviation."""
_UNSEEN = 0.01
"""Standard error of a change of held-out loss, as a share of the loss, where neither single rows nor enough evaluations
tell it."""


class Estimate(NamedTuple):
    """A figure and its standard error.

    Example:
        >>> (Estimate(3.0, 0.3) - Estimate(2.0, 0.4)).z
        2.0
    """

    value: float
    error: float

    @property
    def z(self) -> float:
        """The figure in standard errors; 0 where both are 0."""
        if self.error == 0:
            return math.copysign(math.inf, self.value) if self.value else 0.0
        return self.value / self.error

    def __sub__(self, other: Estimate) -> Estimate:
        return Estimate(self.value - other.value, math.hypot(self.error, other.error))


def curve(history: History, name: str) -> list[tuple[int, float]]:
    """The (step, value) pairs of one figure by step, the newest of each step, without those that are no numbers.

    Other tools write down what was no number, and measure a step again when a run goes on or ends.
    """
    return sorted({step: value for step, value in history.series(name) if math.isfinite(value)}.items())


def level(values: Sequence[float]) -> Estimate:
    """Mean of a stretch of a curve, with the error that its scatter around a straight line leaves.

    The error is ``s / sqrt(n) * sqrt((1 + r) / (1 - r))`` with the residuals' standard deviation ``s`` and lag-one
    autocorrelation ``r``, which is corrected for its bias in short series.

    Args:
        values: At least one value, in order.

    Source:
        Bayley and Hammersley, The "Effective" Number of Independent Observations in an Autocorrelated Time Series,
        1946; Kendall, Note on Bias in the Estimation of Autocorrelation, 1954.

    Example:
        >>> level([1.0, 1.0, 1.0, 1.0])
        Estimate(value=1.0, error=0.0)
    """
    count = len(values)
    mean = statistics.fmean(values)
    if count < 4:
        return Estimate(mean, statistics.stdev(values) / math.sqrt(count) if count > 1 else math.inf)
    rest = _straightened(values, mean)
    squares = sum(value * value for value in rest)
    if squares <= (1e-12 * mean) ** 2 * count:
        return Estimate(mean, 0.0)
    lagged = sum(one * two for one, two in pairwise(rest)) / squares
    together = min(0.9, max(0.0, lagged + (1 + 3 * lagged) / count))
    spread = math.sqrt(squares / (count - 2))
    return Estimate(mean, spread / math.sqrt(count) * math.sqrt((1 + together) / (1 - together)))


def _straightened(values: Sequence[float], mean: float) -> list[float]:
    """What is left of values when their mean and straight line are taken out."""
    middle = (len(values) - 1) / 2
    steep = sum((place - middle) * value for place, value in enumerate(values)) / sum(
        (place - middle) ** 2 for place in range(len(values))
    )
    return [value - mean - steep * (place - middle) for place, value in enumerate(values)]


def scatter(values: Sequence[float]) -> float:
    """Standard deviation of the noise of a curve, taken robustly from second differences, which no trend enters.

    Args:
        values: In order; fewer than three give 0.

    Example:
        >>> scatter([1.0, 2.0, 3.0, 4.0, 50.0, 6.0, 7.0, 8.0, 9.0])
        0.0
    """
    bends = [after - 2 * here + before for before, here, after in zip(values, values[1:], values[2:], strict=False)]
    return _NORMAL * statistics.median(map(abs, bends)) / math.sqrt(6) if bends else 0.0


def ends(values: Sequence[float], *, share: float = 0.1, least: int = 5) -> tuple[Estimate, Estimate] | None:
    """Levels of the first and the last stretch of a curve; None where they would meet.

    Args:
        values: In order.
        share: Share of the curve that a stretch takes.
        least: Values of a stretch, at least.
    """
    width = max(least, round(share * len(values)))
    if len(values) < 2 * width:
        return None
    return level(values[:width]), level(values[-width:])


def way(history: History) -> float | None:
    """How far the weights can have gone: norms of all steps together, over the norm of the weights that learn.

    Returns:
        The sum over all steps, from those where it was measured; None where it was not.
    """
    ratios = [value for _, value in curve(history, "train/update_ratio")]
    steps = curve(history, "train/loss")
    return steps[-1][0] * statistics.fmean(ratios) if ratios and steps else None


def never_gained(history: History, errors: float, *, least: int = 3) -> bool:
    """Whether the held-out loss lay above that before training at every evaluation, each time by more than chance.

    Args:
        history: The run.
        errors: Standard errors of each difference that make it sure.
        least: Evaluations after the first that must be there.
    """
    held_out = curve(history, "validation/loss")
    if len(held_out) <= least or held_out[0][0] != 0:
        return False
    changes = [held_out_change(history, 0, step) for step, _ in held_out[1:]]
    return all(change is not None and change.z >= errors for change in changes)


def held_out_change(history: History, first: int, last: int) -> Estimate | None:
    """By how much the held-out loss changed from one evaluation to a later one, in nats per learned term.

    Where losses of single rows were kept, the error is that of the rows: what other rows of the same kind would have
    shown. Else it comes from the scatter of the evaluations, and where these are few too it is one per cent of the
    loss.

    Args:
        history: The run.
        first: Step of the earlier evaluation.
        last: Step of the later one.

    Returns:
        The change; None where one of the two was not measured.
    """
    if history.validation_rows is not None:
        change = paired(history.validation_rows, first, last)
        if change is not None:
            return change
    measured = dict(curve(history, "validation/loss"))
    if first not in measured or last not in measured:
        return None
    values = [measured[step] for step in sorted(measured)]
    least = _UNSEEN * min(abs(measured[first]), abs(measured[last]))
    noise = max(math.sqrt(2) * scatter(values), least) if len(values) > 4 else least
    return Estimate(measured[last] - measured[first], noise)


def paired(rows: RowLosses, first: int, last: int) -> Estimate | None:
    """Change of the mean loss per learned term between two evaluations of the same rows.

    The error is the ratio estimator's: ``sqrt(sum((w (d - mean))^2) n / (n - 1))`` over rows with share ``w`` of the
    terms and change ``d``.

    Args:
        rows: Losses of single rows.
        first: Step of the earlier evaluation.
        last: Step of the later one.

    Returns:
        The change; None where fewer than five rows were measured at both.

    Source:
        Cochran, Sampling Techniques, 1977, section 6.4.
    """
    import numpy as np

    one, two = rows.entries[rows.step == first], rows.entries[rows.step == last]
    _, left, right = np.intersect1d(one["row"], two["row"], return_indices=True)
    if len(left) < 5:
        return None
    weights = two["terms"][right].astype(float)
    return weighted(two["loss"][right].astype(float) - one["loss"][left].astype(float), weights)


def weighted(values: np.ndarray, weights: np.ndarray) -> Estimate:
    """Weighted mean of independent values, with its standard error.

    Args:
        values: ``(rows,)``.
        weights: ``(rows,)``, not all zero.
    """
    import numpy as np

    shares = weights / weights.sum()
    mean = float((shares * values).sum())
    count = len(values)
    return Estimate(mean, float(np.sqrt(((shares * (values - mean)) ** 2).sum() * count / max(1, count - 1))))
