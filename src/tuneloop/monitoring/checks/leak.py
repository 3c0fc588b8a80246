"""Leak: what is held out was learned from, so the held-out loss says nothing of new rows."""

from __future__ import annotations

import math
import statistics
from itertools import pairwise
from typing import ClassVar, NamedTuple, final

from pydantic import Field

from tuneloop.monitoring import trend
from tuneloop.monitoring.checks import Check
from tuneloop.monitoring.history import History
from tuneloop.rows import Finding


class _Turn(NamedTuple):
    """What happens where one epoch ends and the next begins.

    Attributes:
        step: Last step of the epoch.
        before: Training loss of the last third of the epoch.
        drop: By how much the training loss falls at once as rows come again, beyond its trend.
        noise: Standard error of the drop.
        held_out: Held-out loss at the end of the epoch.
    """

    step: int
    before: float
    drop: float
    noise: float
    held_out: float


@final
class Leak(Check):
    """Held-out rows that are equal to training rows, or a held-out loss that falls as only rows seen before can.

    Where rows cannot be compared, the curves tell. Rows that come again after an epoch lose less than they would as new
    ones, so the training loss falls in steps from epoch to epoch, which rows never learned from do not share: the gap
    between held-out and training loss has to grow by the sum of these steps. If it does not, and held-out rows even
    lose less than training rows before their next visit, then they were learned from as well.
    """

    explains: ClassVar[tuple[str, ...]] = ("memorised", "small_data")

    share: float = Field(0.05, gt=0, lt=1)
    """Share of held-out examples that are equal to a training example, from which on it is a warning."""
    most: float = Field(0.3, gt=0, le=1)
    """Share from which on the held-out loss is of no use."""
    steps: float = Field(0.1, gt=0)
    """Sum of the falls between epochs, as a share of the training loss, that the curves must show."""
    errors: float = Field(4.0, gt=0)
    """Standard errors by which they must show it."""

    def look(self, history: History) -> Finding | None:
        """Read the share of rows seen before, or look at how both losses go from epoch to epoch."""
        equal, near = history.fact("data/validation/seen"), history.fact("data/validation/near_seen") or 0.0
        if equal is None:
            return self._behaves(history)
        seen = max(equal, near)
        if seen <= 0:
            return None
        rows = history.fact("data/validation/examples")
        counted = f"{seen * rows:.0f} of {rows:.0f}" if rows else f"{seen:.0%} of the"
        apart = history.option("data.split.near") is None and history.option("data.split") is not None
        return Finding(
            "leak",
            "error" if seen >= self.most else "warning" if seen >= self.share else "note",
            0,
            history.last.step if history.last else 0,
            f"{counted} held-out examples ({seen:.0%}) are equal to a training example"
            + (", or have its answer behind all but the same question" if near > equal else ""),
            "hold out rows that are not learned from: let data.split draw them, near duplicates on one side",
            change="data.split.near=0.8" if apart else "",
            figures={"seen": seen},
        )

    def _behaves(self, history: History) -> Finding | None:
        turns = _turns(history)
        if len(turns) < 3:
            return None
        turns = max((turns[:end] for end in range(3, len(turns) + 1)), key=lambda some: _fall(some) / _noise(some))
        first, last, total, noise = turns[0], turns[-1], _fall(turns), _noise(turns)
        if total < max(self.errors * noise, self.steps * first.before):
            return None
        grown = (last.held_out - last.before) - (first.held_out - first.before)
        # Rows learned from already fell by the first drop when they were measured first; new ones fall by none of them.
        if grown > first.drop + 0.25 * total - 2 * noise or last.held_out > last.before + 0.25 * total:
            return None
        total += first.drop
        return Finding(
            "leak",
            "warning",
            first.step,
            last.step,
            f"over {len(turns)} epochs the training loss fell by {total:.3f} nats (±{noise:.3f}) as rows came again; "
            f"the held-out loss fell with it, to {last.held_out:.3f}, below the {last.before:.3f} of training rows",
            "compare the held-out file with the training file: rows that are new cannot fall with rows known by heart",
            figures={"fell": total, "error": noise, "gap_grown": grown},
        )


def _fall(turns: list[_Turn]) -> float:
    """By how much the training loss fell as rows came again, from the second epoch's end to before the last one's."""
    return sum(turn.drop for turn in turns[1:-1])


def _noise(turns: list[_Turn]) -> float:
    return math.hypot(*(turn.noise for turn in turns[1:-1])) or math.inf


def _turns(history: History) -> list[_Turn]:
    """The ends of epochs at which enough steps were logged and the held-out loss was measured."""
    at = {step: epoch for step, epoch in trend.curve(history, "train/epoch") if epoch >= 0}
    logged = [(at[step], step, value) for step, value in trend.curve(history, "train/loss") if step in at]
    thirds: dict[int, list[list[float]]] = {}
    for epoch, _, value in logged:
        whole = max(0, math.ceil(epoch - 1e-9) - 1)
        part = min(2, max(0, int(3 * (epoch - whole - 1e-9))))
        thirds.setdefault(whole, [[], [], []])[part].append(value)
    levels = {number: [statistics.fmean(part) for part in parts] for number, parts in thirds.items() if all(parts)}
    chance = trend.scatter([value for _, _, value in logged])
    turns = []
    for number, following in pairwise(sorted(levels)):
        steps = [step for epoch, step, _ in logged if epoch <= number + 1 + 1e-9]
        held_out = _measured(history, at, number + 1)
        if following != number + 1 or held_out is None or min(map(len, thirds[number] + thirds[following])) < 3:
            continue
        here, there = levels[number], levels[following]
        fall = ((here[0] - here[2]) + (there[0] - there[2])) / 4
        noise = math.hypot(_error(thirds[number][2], chance), _error(thirds[following][0], chance))
        turns.append(_Turn(steps[-1], here[2], here[2] - there[0] - fall, noise, held_out))
    return turns


def _error(values: list[float], chance: float) -> float:
    """Standard error of a mean; a few values may lie close together by chance, so the whole curve's scatter counts."""
    return max(statistics.stdev(values), chance) / math.sqrt(len(values))


def _measured(history: History, at: dict[int, float], epoch: int) -> float | None:
    """Held-out loss at the end of an epoch, or within a twentieth of an epoch of it."""
    near = [
        (abs(at[step] - epoch), value)
        for step, value in trend.curve(history, "validation/loss")
        if step in at and abs(at[step] - epoch) <= 0.05
    ]
    return min(near)[1] if near else None
