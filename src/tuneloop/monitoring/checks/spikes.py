"""Spikes: single steps whose loss stands far out of the curve, with the rows that were learned there."""

from __future__ import annotations

import statistics
from typing import final

from pydantic import Field

from tuneloop.monitoring import trend
from tuneloop.monitoring.checks import Check
from tuneloop.monitoring.history import History
from tuneloop.rows import Finding


@final
class Spikes(Check):
    """Steps with a loss that its neighbours do not explain; a note, since most runs recover from them."""

    errors: float = Field(10.0, gt=0)
    """Standard deviations of the curve's noise by which a step must stand out."""
    share: float = Field(0.3, gt=0)
    """Share of the loss around it by which it must, too."""
    steps: int = Field(30, ge=11)
    """Logged steps of the shortest run that is judged."""
    around: int = Field(5, ge=2)
    """Steps on each side that it is compared with."""

    def look(self, history: History) -> Finding | None:
        """Compare each step with the median of the steps around it."""
        series = trend.curve(history, "train/loss")
        if len(series) < self.steps:
            return None
        values = [value for _, value in series]
        off = [value - self._near(values, place) for place, value in enumerate(values)]
        noise = 1.4826 * statistics.median(map(abs, off))
        out = [
            place
            for place in range(self.around, len(values) - self.around)
            if off[place] > max(self.errors * noise, self.share * (values[place] - off[place]))
        ]
        if not out or not noise:
            return None
        worst = max(out, key=lambda place: off[place])
        return Finding(
            "spikes",
            "note",
            series[out[0]][0],
            series[out[-1]][0],
            f"{len(out)} of {len(values)} steps stand out of the loss; the highest is {values[worst]:.3f} at step "
            f"{series[worst][0]}, with {values[worst] - off[worst]:.3f} around it",
            "look at the rows of these steps",
            rows=self._rows(history, [series[place][0] for place in sorted(out, key=lambda place: -off[place])]),
            figures={"count": float(len(out)), "highest": values[worst], "times": off[worst] / noise},
        )

    def _near(self, values: list[float], place: int) -> float:
        window = values[max(0, place - self.around) : place] + values[place + 1 : place + 1 + self.around]
        return statistics.median(window)

    def _rows(self, history: History, steps: list[int]) -> tuple[str, ...]:
        """Origins of the rows that lost most in each of these steps, those of the highest spike first."""
        rows = history.train_rows
        if rows is None:
            return ()
        found = []
        for step in steps[:5]:
            entries = rows.entries[rows.step == step]
            if len(entries):
                found.append(rows.origin(int(entries["row"][entries["loss"].argmax()])))
        return tuple(dict.fromkeys(found))
