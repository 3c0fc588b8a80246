"""Difference: whether one model predicts held-out rows better than another, row by row."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

Losses = Mapping[str, tuple[float, int]]
"""For each held-out row, by its origin: mean loss in nats, and learned terms."""
CLEAR = 2.0
"""Standard errors by which a difference must be other than zero to be called clear."""


@dataclass(frozen=True)
class Difference:
    """How much the held-out loss of one attempt lies above that of another, on the rows that both have.

    Attributes:
        mean: Nats per learned term; below zero the first is better.
        error: Standard error of the mean over rows; infinite where it cannot be told.
        rows: Rows that were compared.
    """

    mean: float
    error: float
    rows: int

    @property
    def clearly_better(self) -> bool:
        """Whether the first is better by more than chance."""
        return self.mean < -CLEAR * self.error

    @property
    def clearly_worse(self) -> bool:
        """Whether the first is worse by more than chance."""
        return self.mean > CLEAR * self.error

    def told(self) -> str:
        """The difference as a person reads it."""
        around = f" ± {CLEAR * self.error:.4f}" if math.isfinite(self.error) else ""
        return f"{self.mean:+.4f}{around} nats on {self.rows:,} rows" if self.rows else f"{self.mean:+.4f} nats"


def difference(one: Losses, other: Losses) -> Difference | None:
    """Compare two models on the held-out rows that both were measured on; None where they share fewer than two.

    Args:
        one: Losses of each row under the first model.
        other: Losses of each row under the second.

    Formula:
        With terms ``w`` and differences ``d`` of a row's mean loss: ``mean = sum(w d) / sum(w)``, and as the error of
        this ratio over rows drawn at random ``sqrt(n / (n - 1) * sum(w^2 (d - mean)^2)) / sum(w)`` (Cochran, Sampling
        Techniques, 1977, section 6.4).

    Example:
        >>> found = difference({"a": (1.0, 10), "b": (2.0, 10)}, {"a": (1.5, 10), "b": (2.1, 10)})
        >>> round(found.mean, 2), round(found.error, 2), found.rows
        (-0.3, 0.2, 2)
    """
    common = sorted(one.keys() & other.keys())
    if len(common) < 2:
        return None
    weights = [min(one[row][1], other[row][1]) for row in common]
    apart = [one[row][0] - other[row][0] for row in common]
    total = sum(weights)
    mean = sum(w * d for w, d in zip(weights, apart, strict=True)) / total
    spread = sum((w * (d - mean)) ** 2 for w, d in zip(weights, apart, strict=True))
    return Difference(mean, math.sqrt(spread * len(common) / (len(common) - 1)) / total, len(common))
