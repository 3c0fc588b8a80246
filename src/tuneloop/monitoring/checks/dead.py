"""Dead: weights that should learn do not, although there is something to learn."""

from __future__ import annotations

from typing import ClassVar, final

from pydantic import Field

from tuneloop.monitoring import trend
from tuneloop.monitoring.checks import Check
from tuneloop.monitoring.history import History
from tuneloop.rows import Finding


@final
class Dead(Check):
    """No gradient reaches the weights, some layers' weights, or none of it changes what the model predicts."""

    explains: ClassVar[tuple[str, ...]] = (
        "underfit", "vanishing", "plateau", "rate_too_low", "capacity", "template", "label_noise",
    )  # fmt: skip
    steps: int = Field(3, ge=2)
    """Logged steps, and at least as many, that must be without any gradient."""

    def look(self, history: History) -> Finding | None:
        """See gradients that are exactly zero, and held-out losses that are the same to the last digit."""
        losses = trend.curve(history, "train/loss")
        if len(losses) < self.steps or losses[-1][1] == 0:
            return None
        parts = self._still(history)
        norms = [value for _, value in trend.curve(history, "train/grad_norm")]
        if len(norms) >= self.steps and max(norms) == 0:
            return self._found(losses, f"the gradient is exactly 0 in all {len(norms)} logged steps", len(norms))
        held_out = [value for _, value in trend.curve(history, "validation/loss")]
        exact = held_out and held_out[0] != round(held_out[0], 4)  # what was rounded may well be equal
        if exact and len(held_out) > 2 and len(set(held_out)) == 1:
            told = f"the held-out loss is {held_out[0]:.6g} in all {len(held_out)} evaluations, to the last digit"
            return self._found(losses, told, len(held_out))
        if parts:
            told = f"{len(parts)} of {len(history.under('train/grad_norm/'))} groups of layers get a gradient of 0"
            return self._found(losses, f"{told}: {', '.join(parts[:8])}", len(parts))
        return None

    def _still(self, history: History) -> list[str]:
        """Groups of layers whose gradient is exactly zero in every logged step."""
        groups = history.under("train/grad_norm/")
        return [name for name, series in groups.items() if len(series) >= self.steps and not any(v for _, v in series)]

    def _found(self, losses: list[tuple[int, float]], told: str, count: int) -> Finding:
        return Finding(
            "dead",
            "error",
            losses[0][0],
            losses[-1][0],
            f"{told}, at a training loss of {losses[-1][1]:.3f}",
            "what should learn is cut off from the loss: look for weights that are frozen, detached, or no part of "
            "the model that is trained; no option of the recipe mends that",
            figures={"count": float(count)},
        )
