"""Rate: the learning rate at which the held-out loss is lowest, found by going down and up from the best."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import final

from pydantic import Field

from tuneloop.improving.moves import Move, Proposal, Story
from tuneloop.improving.story import Attempt

NEAR = 1.15
"""Rates closer to each other than this factor are taken as the same."""


@final
class Rate(Move):
    """Brackets the best rate, and then goes to the lowest point of a parabola through the three rates around it.

    The held-out loss over the logarithm of the rate is close to a parabola near its lowest point.
    """

    factor: float = Field(3.0, gt=1)
    """Step by which a rate is raised or lowered while the best is not bracketed."""

    def propose(self, story: Story) -> list[Proposal]:
        """A rate on the open side of the best, or between those around it."""
        best = story.leading
        if best.rate is None:
            return []
        if best.failed:
            return [self._to(best, best.rate / 10, f"at {best.rate:.2g} the training failed: {best.failed}")]
        kin = [each for each in story.attempts if each.rate and each.history.optimizer == best.history.optimizer]
        known = lowest_of(kin)
        lower = [rate for rate in known if rate < best.rate / NEAR]
        higher = [rate for rate in known if rate > best.rate * NEAR]
        if lower and higher:
            around = [max(lower), best.rate, min(higher)]
            losses = [known.get(rate, math.inf) for rate in around]
            vertex = lowest_point([math.log(rate) for rate in around], losses)
            if vertex is None or any(1 / NEAR < math.exp(vertex) / rate < NEAR for rate in around):
                return []
            told = ", ".join(f"{loss:.4f} at {rate:.2g}" for rate, loss in zip(around, losses, strict=True))
            return [
                self._to(best, math.exp(vertex), f"held-out loss is {told}; a parabola through them is lowest here")
            ]
        down = self._to(best, best.rate / self.factor, f"the best rate so far, {best.rate:.2g}, is the lowest tried")
        up = self._to(best, best.rate * self.factor, f"the best rate so far, {best.rate:.2g}, is the highest tried")
        if lower:
            return [up]
        if higher:
            return [down]
        return [down, up] if _peaks_early(best) else [up, down]

    def _to(self, best: Attempt, rate: float, why: str) -> Proposal:
        return Proposal((f"train.optimizer.{best.history.optimizer}.learning_rate={rate:.2g}",), why)


def lowest_of(attempts: Sequence[Attempt]) -> dict[float, float]:
    """The lowest held-out loss at each rate; infinite where every attempt at it failed."""
    found: dict[float, float] = {}
    for each in attempts:
        if each.rate is not None:
            found[each.rate] = min(found.get(each.rate, math.inf), each.loss)
    return found


def lowest_point(xs: Sequence[float], ys: Sequence[float]) -> float | None:
    """Where the parabola through three points is lowest; None where it opens downwards or a point is infinite.

    Example:
        >>> lowest_point([0.0, 1.0, 3.0], [4.0, 1.0, 1.0])
        2.0
    """
    if not all(map(math.isfinite, ys)):
        return None
    (a, b, c), (fa, fb, fc) = xs, ys
    left, right = (fb - fa) / (b - a), (fc - fb) / (c - b)
    bend = (right - left) / (c - a)
    return (a + b) / 2 - left / (2 * bend) if bend > 0 else None


def _peaks_early(attempt: Attempt) -> bool:
    """Whether the held-out loss was lowest in the first half of the run, and rose from there."""
    series = attempt.history.series("validation/loss")
    return attempt.best is not None and len(series) > 2 and attempt.best[0] <= attempt.steps / 2
