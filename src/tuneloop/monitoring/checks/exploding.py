"""Exploding: gradients far above what clipping is meant for, step after step."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from typing import ClassVar, final

from pydantic import Field

from tuneloop.monitoring import trend
from tuneloop.monitoring.checks import Check, _advice
from tuneloop.monitoring.history import History
from tuneloop.rows import Finding


@final
class Exploding(Check):
    """The gradient's norm before clipping stays large and does not come down as it does in a run that learns.

    A single spike, a high start, or a large model whose norms are large throughout, is no explosion: the last norms
    must lie above the limit, and far above where the gradient was at its calmest. Where norms of single layers are
    known, a layer whose outputs explode shows without that: its gradient lies far above that of all others, or all
    layers behind it get next to none, because what they add is nothing beside what comes out of it.
    """

    explains: ClassVar[tuple[str, ...]] = ("spikes", "plateau", "underfit", "noisy", "capacity")
    above: float = Field(10.0, gt=0)
    """Norm above which a gradient may be too large."""
    growth: float = Field(5.0, gt=1)
    """Times the calmest stretch's norm that the last norms must reach."""
    apart: float = Field(6.0, gt=1)
    """Times by which the layers up to one and the layers behind it must lie apart."""
    steps: int = Field(10, ge=1)
    """Logged steps in a row that must lie above the limit, up to the last; layers are compared over the first ones."""

    def look(self, history: History) -> Finding | None:
        """See whether each of the last steps lies above the limit, and whether one layer drowns the others."""
        series = trend.curve(history, "train/grad_norm")
        norms = series[-self.steps :]
        if len(norms) < self.steps:
            return None
        last = statistics.median(value for _, value in norms)
        layer, times = self._layer(history)
        if layer:
            told = (
                f"from the first steps on, gradients of the layers up to {layer} are {times:.0f} times those behind it"
            )
            return self._found(history, series[0][0], norms[-1][0], told, layer, {"norm": last, "times": times})
        if min(value for _, value in norms) <= self.above or last < self.growth * self._calm(series):
            return None
        told = (
            f"gradient norm was above {self.above:g} in each of the last {self.steps} logged steps (median {last:.1f})"
        )
        return self._found(history, norms[0][0], norms[-1][0], told, "", {"norm": last})

    def _found(
        self, history: History, first: int, last: int, told: str, layer: str, figures: dict[str, float]
    ) -> Finding:
        train = history.option("train")
        if isinstance(train, Mapping) and "max_grad_norm" in train and train["max_grad_norm"] is None:
            change, advice = "train.max_grad_norm=1.0", "clip the gradient"
        elif layer:
            change, advice = _advice.rate(history, 3), "such weights are unlearned by large steps alone"
        else:
            change, advice = _advice.rate(history, 1 / 3), "lower the rate"
        if layer:
            advice = f"what comes out of {layer} is far too loud: look at the base's weights; {advice}"
        return Finding("exploding", "warning", first, last, told, advice, change, figures=figures)

    def _calm(self, series: list[tuple[int, float]]) -> float:
        """Lowest median of a stretch before the last steps; infinite where there is none."""
        values = [value for _, value in series[: -self.steps]]
        starts = range(0, len(values) - self.steps + 1, max(1, self.steps // 2))
        return min((statistics.median(values[at : at + self.steps]) for at in starts), default=float("inf"))

    def _layer(self, history: History) -> tuple[str, float]:
        """The layer behind which gradients fall off, and by how much; empty where they do not fall off anywhere."""
        groups = {
            f"layers{name}": statistics.median(value for _, value in series[: self.steps])
            for name, series in history.under("train/grad_norm/layers").items()
            if len(series) >= self.steps
        }
        names, norms = sorted(groups), [groups[name] for name in sorted(groups)]
        drops = {
            names[at - 1]: statistics.median(norms[:at]) / max(norms[at:])
            for at in range(1, len(norms))
            if max(norms[at:]) > 0
        }
        name = max(drops, key=lambda each: drops[each], default="")
        return (name, drops[name]) if name and drops[name] >= self.apart else ("", 0.0)
