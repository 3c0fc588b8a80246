"""Duplicated: the same rows are learned from more than once an epoch."""

from __future__ import annotations

from typing import ClassVar, final

from pydantic import Field

from tuneloop.monitoring.checks import Check
from tuneloop.monitoring.history import History
from tuneloop.rows import Finding


@final
class Duplicated(Check):
    """Training examples that are equal to earlier ones: they weigh more than others, and are soon known by heart.

    Rows that the recipe itself repeats (``data.balance``) are no fault.
    """

    explains: ClassVar[tuple[str, ...]] = ("memorised", "small_data", "overfit")

    share: float = Field(0.1, gt=0, lt=1)
    """Share of the training examples from which on it is a warning."""
    mention: float = Field(0.02, gt=0, lt=1)
    """Share from which on it is mentioned at all."""

    def look(self, history: History) -> Finding | None:
        """Read the share of repeated examples."""
        repeated, examples = history.fact("data/train/repeated"), history.fact("data/train/examples")
        if repeated is None or repeated < self.mention or history.option("data.balance") is not None:
            return None
        counted = f"{repeated * examples:.0f} of {examples:.0f}" if examples else f"{repeated:.0%} of all"
        transforms = history.option("data.transforms")
        names = {name for each in transforms for name in each} if isinstance(transforms, list) else None
        helps = names is not None and "duplicates" not in names
        return Finding(
            "duplicated",
            "warning" if repeated >= self.share else "note",
            0,
            history.last.step if history.last else 0,
            f"{counted} training examples ({repeated:.0%}) are equal to an earlier one",
            "keep one of each: let data.transforms remove duplicates"
            if helps
            else "keep one of each: the rows are equal only as the model reads them, so look at what sets them apart "
            "(columns that are not read, texts cut at train.max_length)",
            change="data.transforms.duplicates={}" if helps else "",
            figures={"repeated": repeated},
        )
