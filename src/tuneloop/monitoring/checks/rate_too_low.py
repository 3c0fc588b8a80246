"""Rate too low: what the run gained is so little, and so proportional to the rate, that larger steps were safe."""

from __future__ import annotations

from typing import ClassVar, final

from pydantic import Field

from tuneloop.monitoring import trend
from tuneloop.monitoring.checks import Check, _advice
from tuneloop.monitoring.history import History
from tuneloop.rows import Finding


@final
class RateTooLow(Check):
    """The held-out loss hardly fell, and each unit of learning rate gained as much at the end as at the start.

    While weights have hardly moved, the loss follows its first-order expansion: it falls in proportion to the sum of
    the rates so far. A run that learns leaves that line soon, because what is easy is learned first.
    """

    explains: ClassVar[tuple[str, ...]] = ("underfit", "plateau", "capacity", "label_noise", "never_stops")
    gain: float = Field(0.02, gt=0, lt=1)
    """Share of the first held-out loss; a run that gained more is not judged, or half as much where the sizes of the
    steps are not known."""
    stride: float = Field(0.05, gt=0, lt=1)
    """Share of a good step's size that no step may reach, where sizes are known."""
    off: float = Field(0.15, gt=0, lt=1)
    """Share of the gain by which an evaluation may lie off the straight line."""
    errors: float = Field(3.0, gt=0)
    """Standard errors of the gain, as single rows tell them, that are enough where there are only three evaluations."""
    moved: float = Field(0.02, gt=0)
    """Way of all steps together, as a share of the weights, below which it explains a loss that did not change."""

    reach: float = Field(1e-3, gt=0)
    """Sum of all rates below which Adam and its kin cannot have moved any weight by what matters; it counts where the
    sizes of the steps are not known, as in another tool's log."""

    def look(self, history: History) -> Finding | None:
        """Compare the held-out losses with a line over the sum of the rates."""
        held_out = trend.curve(history, "validation/loss")
        if len(held_out) < 3:
            return self._bounded(history, held_out)
        first, last = held_out[0][1], held_out[-1][1]
        fell = (first - last) / first if first > 0 else 1.0
        strides = [value for _, value in trend.curve(history, "train/update_ratio") if value > 0]
        good = _advice.stride(history)
        if abs(fell) > (self.gain if strides else self.gain / 2) or max(strides, default=0.0) > self.stride * good:
            return None
        way = trend.way(history)
        if fell > 0 and self._straight(history, held_out):
            told = "and in proportion to the rate: the same for each unit of it from the first step to the last"
            factor = 0.5 / fell
        elif way is not None and 0 < way < self.moved:
            told, factor = f"and all steps together moved the weights by at most {way:.1e} of their norm", 0.5 / way
        else:
            return self._bounded(history, held_out)
        factor = min(1000.0, max(3.0, good / max(strides) if strides else factor))
        return _finding(history, held_out, told, factor)

    def _bounded(self, history: History, held_out: list[tuple[int, float]]) -> Finding | None:
        """Where neither line nor sizes tell: a step of Adam moves no weight by much more than the rate."""
        rates, losses = trend.curve(history, "train/learning_rate"), trend.curve(history, "train/loss")
        levels = trend.ends([value for _, value in losses], share=0.34, least=5)
        kin = history.part("train.optimizer", "adamw").startswith(("adam", "lion"))
        if len(held_out) < 2 or not rates or levels is None or not kin or trend.way(history) is not None:
            return None
        first, last = held_out[0][1], held_out[-1][1]
        fell = levels[0] - levels[1]
        still = (
            first > 0
            and 0 <= (first - last) / first < self.gain / 2
            and fell.value < self.gain * first + 2 * fell.error
        )
        reach = rates[-1][0] * sum(rate for _, rate in rates) / len(rates)
        if not still or not 0 < reach < self.reach:
            return None
        return _finding(
            history, held_out, f"and all {rates[-1][0]} rates together are {reach:.1e}", 5 * self.reach / reach
        )

    def _straight(self, history: History, held_out: list[tuple[int, float]]) -> bool:
        """Whether the held-out losses lie on a line over the sum of the rates, and fell by more than chance.

        A single evaluation between the first and the last may lie on it by chance, so single rows have to confirm it.
        """
        rates = trend.curve(history, "train/learning_rate")
        (first_step, first), (last_step, last) = held_out[0], held_out[-1]
        total, between = sum(rate for _, rate in rates), []
        for step, loss in held_out[1:-1]:
            share = sum(rate for at, rate in rates if at <= step) / total if total else 1.0
            if 0.1 < share < 0.9:
                between.append(abs((first - loss) / (first - last) - share))
        change = trend.held_out_change(history, first_step, last_step)
        real = len(between) > 1 or (change is not None and -change.z > self.errors)
        return bool(between) and real and max(between) < self.off


def _finding(history: History, held_out: list[tuple[int, float]], told: str, factor: float) -> Finding:
    """What is said: how little was gained, why the rate is the cause, and by what factor to raise it."""
    (first_step, first), (last_step, last) = held_out[0], held_out[-1]
    fell, factor = (first - last) / first, min(1000.0, max(3.0, factor))
    return Finding(
        "rate_too_low",
        "warning",
        first_step,
        last_step,
        f"held-out loss fell by only {fell:.2%} (from {first:.4f} to {last:.4f}), {told}",
        "raise the rate",
        _advice.rate(history, factor),
        figures={"fell": fell, "factor": factor},
    )
