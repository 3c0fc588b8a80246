"""Length: as many epochs as the held-out loss goes on falling, with the schedule ending there."""

from __future__ import annotations

from typing import final

from pydantic import Field

from tuneloop.improving.moves import Move, Proposal, Story


@final
class Length(Move):
    """Trains longer where the loss still fell at the end, and shorter where it was lowest long before."""

    factor: float = Field(2.0, gt=1)
    """How many times longer."""
    early: float = Field(0.6, gt=0, lt=1)
    """The lowest loss before this share of the planned steps asks for a shorter run."""
    gain: float = Field(0.002, ge=0)
    """Share by which the last evaluation must lie below the one before it, to be called falling."""

    def propose(self, story: Story) -> list[Proposal]:
        """Another number of epochs (or steps, where the recipe counts those)."""
        best = story.leading
        series = best.history.series("validation/loss")
        planned = self._planned(story)
        if best.best is None or len(series) < 3 or planned is None:
            return []
        step, loss = best.best
        path, whole, steps = planned
        if step == series[-1][0] and best.steps >= steps - 1:
            before = series[-2][1]
            if loss > before * (1 - self.gain):
                return []
            why = f"held-out loss still fell at the end, from {before:.4f} to {loss:.4f} in the last evaluation"
            return [Proposal((f"{path}={_round(path, whole * self.factor)}",), why)]
        if step < self.early * steps:
            why = f"held-out loss was lowest ({loss:.4f}) at step {step} of {steps}: the rate shall come down by then"
            return [Proposal((f"{path}={_round(path, whole * step / steps)}",), why)]
        return []

    def _planned(self, story: Story) -> tuple[str, float, int] | None:
        """The option that sets the length, its value, and the steps that were planned."""
        best = story.leading
        steps, epochs = best.option("train.max_steps"), best.option("train.num_train_epochs")
        if steps is not None:
            return "train.max_steps", steps, int(steps)
        reached = best.history.series("train/epoch")
        if epochs is None or not reached or not reached[-1][1]:
            return None
        return "train.num_train_epochs", epochs, max(best.steps, round(reached[-1][0] * epochs / reached[-1][1]))


def _round(path: str, value: float) -> str:
    return str(max(1, round(value))) if path.endswith("steps") else f"{max(value, 0.05):.2g}"
