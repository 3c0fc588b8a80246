"""Memorised: the training rows are known by heart, and what is not among them gains nothing by it."""

from __future__ import annotations

from typing import final

from pydantic import Field

from tuneloop.monitoring import trend
from tuneloop.monitoring.checks import Check
from tuneloop.monitoring.history import History
from tuneloop.monitoring.visits import ends_at, memory, visits
from tuneloop.rows import Finding


@final
class Memorised(Check):
    """Rows that were seen before lose far less than held-out rows, whose loss rose meanwhile.

    Rows known by heart alone are a note: the loss of what is new decides.
    """

    share: float = Field(0.5, gt=0, lt=1)
    """Loss of seen rows as a share of that of held-out rows, below which they are known by heart."""
    errors: float = Field(4.0, gt=0)
    """Standard errors by which it must lie below."""
    rise: float = Field(0.03, ge=0)
    """Share by which the held-out loss must lie above its lowest point to be a warning."""
    named: int = Field(10, ge=0)
    """Rows that are named."""

    def look(self, history: History) -> Finding | None:
        """Compare seen with unseen rows, and the last with the lowest held-out loss."""
        found = memory(history)
        if found is None or found.epochs < 2 or found.share(self.errors) >= self.share:
            return None
        series = trend.curve(history, "validation/loss")
        best, lowest = min(series, key=lambda entry: entry[1])
        last, now = series[-1]
        change = trend.held_out_change(history, best, last)
        rose = change is not None and best < last and change.value > max(self.rise * lowest, 3 * change.error)
        return Finding(
            "memorised",
            "warning" if rose else "note",
            best,
            last,
            f"training rows lose {found.seen.value:.3f} nats when they come again, held-out rows {now:.3f} "
            f"(lowest {lowest:.3f} at step {best}), after {found.epochs:.0f} epochs",
            "end where the held-out loss was lowest, or add rows",
            change=ends_at(history, best) if rose else "",
            rows=self._rows(history),
            figures={"seen": found.seen.value, "held_out": now, "lowest": lowest, "epochs": found.epochs},
        )

    def _rows(self, history: History) -> tuple[str, ...]:
        """Origins of the rows that fell furthest from their first visit to their last."""
        if history.train_rows is None:
            return ()
        seen = visits(history.train_rows)
        if not len(seen.loss):
            return ()
        order = (seen.last - seen.loss[0]).argsort(kind="stable")[: self.named]
        return tuple(history.train_rows.origin(int(row)) for row in seen.rows[order])
