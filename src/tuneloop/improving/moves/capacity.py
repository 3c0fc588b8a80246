"""Capacity: more weights that learn, where the training loss itself stays high."""

from __future__ import annotations

from typing import final

from pydantic import Field

from tuneloop.improving.moves import Move, Proposal, Story


@final
class Capacity(Move):
    """Raises the rank of a LoRA adapter where training and held-out loss lie close together."""

    gap: float = Field(0.02, ge=0)
    """Share by which the held-out loss may lie above the training loss."""
    factor: int = Field(4, ge=2)
    """How many times the rank; ``lora_alpha`` grows with it, so that the scale stays."""

    def propose(self, story: Story) -> list[Proposal]:
        """A higher rank."""
        best = story.leading
        rank, alpha = best.option("train.adapter.lora.r"), best.option("train.adapter.lora.lora_alpha")
        if best.best is None or rank is None or alpha is None:
            return []
        step, loss = best.best
        train = best.history.mean("train/loss", step - max(1, best.steps // 5), step)
        found = best.saw("capacity", "underfit", "plateau")
        close = train is not None and loss < train * (1 + self.gap)
        if not found and not close:
            return []
        why = (
            f"{found.check}: {found.evidence}"
            if found
            else f"held-out loss {loss:.3f} lies at training loss {train:.3f}"
        )
        higher = f"train.adapter.lora.r={int(rank) * self.factor}"
        return [Proposal((higher, f"train.adapter.lora.lora_alpha={int(alpha) * self.factor}"), why)]
