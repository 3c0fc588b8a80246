"""Vanishing: the gradient goes to nothing while there is still much to learn."""

from __future__ import annotations

import statistics
from typing import ClassVar, final

from pydantic import Field

from tuneloop.monitoring import trend
from tuneloop.monitoring.checks import Check
from tuneloop.monitoring.history import History
from tuneloop.rows import Finding


@final
class Vanishing(Check):
    """A gradient near zero at a loss that is not, in all weights or in most blocks: it does not come through.

    The parts of a model get gradients of like size, within a factor of a hundred. Where most blocks begin with next to
    nothing beside the part that gets most, their first weights are so small that signal and gradient die in them.
    """

    explains: ClassVar[tuple[str, ...]] = ("underfit", "plateau", "capacity", "rate_too_low")
    below: float = Field(1e-5, gt=0)
    """Norm under which a whole gradient counts as nothing."""
    share: float = Field(1e-3, gt=0, lt=1)
    """Share of the largest group's norm under which a block's counts as nothing."""
    loss: float = Field(0.1, ge=0)
    """Training loss above which there is still something to learn, in nats per token."""
    steps: int = Field(5, ge=2)
    """Logged steps that are looked at, up to the last."""

    def look(self, history: History) -> Finding | None:
        """Take medians of norms and loss over some steps."""
        losses = [value for _, value in trend.curve(history, "train/loss")]
        if len(losses) < self.steps or statistics.median(losses[-self.steps :]) <= self.loss:
            return None
        series = trend.curve(history, "train/grad_norm")
        norm = statistics.median(value for _, value in series[-self.steps :]) if len(series) >= self.steps else None
        blocks = self._blocks(history)
        if blocks:
            shares = ", ".join(f"{name} {share:.0e}" for name, share in list(blocks.items())[:8])
            told = f"{len(blocks)} blocks began with less than {self.share:g} of the largest part's gradient: {shares}"
        elif norm is not None and 0 < norm < self.below:
            told = f"gradient norm is {norm:.1e} at a training loss of {losses[-1]:.3f}"
        else:
            return None
        change, advice = self._advice(history)
        return Finding(
            "vanishing",
            "warning" if blocks else "error",
            0 if blocks else series[-self.steps][0],
            (series or trend.curve(history, "train/loss"))[-1][0],
            told,
            advice,
            change,
            figures={"norm": norm or 0.0, "blocks": float(len(blocks)), "loss": losses[-1]},
        )

    def _blocks(self, history: History) -> dict[str, float]:
        """Blocks that began with next to no gradient, and their share of the largest; none where only a few did.

        Those that get exactly 0 are dead.
        """
        groups = {name: trend.curve(history, f"train/grad_norm/{name}") for name in history.under("train/grad_norm/")}
        first = {name: series[0] for name, series in groups.items() if series}
        if not first or max(step for step, _ in first.values()) > 2:
            return {}
        largest = max(norm for _, norm in first.values())
        if largest <= 0:
            return {}
        blocks = {name: norm / largest for name, (_, norm) in first.items() if norm and name.startswith("layers")}
        weak = {name: share for name, share in blocks.items() if share < self.share}
        return weak if 2 * len(weak) > len(blocks) else {}

    def _advice(self, history: History) -> tuple[str, str]:
        if history.option("model.init") == "random":
            change = "model.init=pretrained"
            return change, "the first weights are too small: begin with trained ones"
        if history.option("train.precision") in ("fp16", "bf16"):
            change = "train.precision=fp32"
            return change, "small gradients are lost in few bits"
        return "", "the weights that learn are cut off from the loss: look at the base model's weights, layer by layer"
