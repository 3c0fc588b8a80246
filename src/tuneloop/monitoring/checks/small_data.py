"""Small data: rows, not settings, are the limit."""

from __future__ import annotations

from typing import ClassVar, final

from pydantic import Field

from tuneloop.monitoring import trend
from tuneloop.monitoring.checks import Check
from tuneloop.monitoring.history import History
from tuneloop.monitoring.visits import ends_at, memory
from tuneloop.rows import Finding


@final
class SmallData(Check):
    """A few rows were gone through many times, and the held-out loss was lowest long before the end."""

    explains: ClassVar[tuple[str, ...]] = ("memorised", "overfit", "plateau")

    examples: int = Field(500, ge=1)
    """Training examples of a set that counts as small."""
    epochs: float = Field(8.0, gt=1)
    """How often they must have been gone through."""
    share: float = Field(0.8, gt=0, lt=1)
    """Loss of seen rows as a share of that of held-out rows, below which more of the same rows teaches nothing."""
    errors: float = Field(4.0, gt=0)
    """Standard errors by which it must lie below."""
    rise: float = Field(0.02, ge=0)
    """Share by which the held-out loss must have ended above its lowest point."""
    early: float = Field(0.7, gt=0, le=1)
    """Share of the run within which the held-out loss was lowest."""

    def look(self, history: History) -> Finding | None:
        """Count rows and epochs, then compare seen with unseen rows."""
        found = memory(history)
        if found is None or found.examples is None or found.examples > self.examples or found.epochs < self.epochs:
            return None
        series = trend.curve(history, "validation/loss")
        best, lowest = min(series, key=lambda entry: entry[1])
        last, now = series[-1]
        if found.share(self.errors) >= self.share or best > self.early * last or now < lowest * (1 + self.rise):
            return None
        return Finding(
            "small_data",
            "warning",
            best,
            last,
            f"{found.examples:.0f} training examples were gone through {found.epochs:.0f} times; they lose "
            f"{found.seen.value:.3f} nats, held-out rows {now:.3f}, and these lost least ({lowest:.3f}) at step {best}",
            "more rows help most; with these alone, end earlier",
            change=ends_at(history, best),
            figures={
                "examples": found.examples,
                "epochs": found.epochs,
                "seen": found.seen.value,
                "held_out": now,
                "lowest": lowest,
            },
        )
