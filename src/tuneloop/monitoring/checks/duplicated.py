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

    Rows that the recipe itself repeats (``data.balance``) or varies (``data.augment``) are no fault.
    """

    explains: ClassVar[tuple[str, ...]] = ("memorised", "small_data", "overfit")

    share: float = Field(0.1, gt=0, lt=1)
    """Share of the training examples from which on it is a warning."""
    mention: float = Field(0.02, gt=0, lt=1)
    """Share from which on it is mentioned at all."""

    def look(self, history: History) -> Finding | None:
        """Read the share of repeated examples, exact ones first."""
        exact, near = history.fact("data/train/repeated"), history.fact("data/train/near_repeated") or 0.0
        if exact is None or max(exact, near) < self.mention or history.option("data.balance") is not None:
            return None
        if near > 2 * exact and history.option("data.augment") is None:
            told, kind, share = (
                "have the answer of an earlier one behind all but the same question",
                "near_duplicates",
                near,
            )
        elif exact >= self.mention:
            told, kind, share = "are equal to an earlier one", "duplicates", exact
        else:
            return None
        transforms = history.option("data.transforms")
        names = {name for each in transforms for name in each} if isinstance(transforms, list) else None
        helps = names is not None and kind not in names
        examples = history.fact("data/train/examples")
        counted = f"{share * examples:.0f} of {examples:.0f}" if examples else "many"
        return Finding(
            "duplicated",
            "warning" if share >= self.share else "note",
            0,
            history.last.step if history.last else 0,
            f"{counted} training examples ({share:.0%}) {told}",
            f"keep one of each: let data.transforms remove {kind}"
            if helps
            else "keep one of each: look at what sets them apart (columns not read, texts cut at max_length)",
            change=f"data.transforms.{kind}={{}}" if helps else "",
            figures={"repeated": exact, "near_repeated": near},
        )
