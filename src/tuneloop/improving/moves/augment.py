"""Augment: more ways to ask the same, where there are too few rows."""

from __future__ import annotations

from typing import final

from pydantic import Field

from tuneloop.improving.moves import Move, Proposal, Story


@final
class Augment(Move):
    """Adds varied copies of the training rows (words swapped and left out on the input side), where rows are few."""

    copies: int = Field(1, ge=1)
    """Varied copies of each row."""
    most: int = Field(5000, ge=1)
    """Training rows above which none are added."""

    def propose(self, story: Story) -> list[Proposal]:
        """Varied copies, where the run learned its rows by heart and none are made yet."""
        best = story.leading
        found = best.saw("overfit", "memorised", "small_data")
        rows = best.history.fact("data/train/rows")
        varies = best.history.option("data.augment")
        if (
            found is None
            or varies
            or rows is None
            or rows > self.most
            or best.history.part("task", "sft") == "pretrain"
        ):
            return []
        change = f"data.augment={{by: [{{swap: {{}}}}, {{delete: {{}}}}], copies: {self.copies}}}"
        return [Proposal((change,), f"{found.check}: {found.evidence}; {rows:,.0f} rows are few, so each is varied")]
