"""Not finite: a loss or gradient that is no number."""

from __future__ import annotations

import math
from typing import ClassVar, final

from tuneloop.monitoring.checks import Check, _advice
from tuneloop.monitoring.history import History
from tuneloop.rows import Finding

_WATCHED = ("train/loss", "train/grad_norm", "validation/loss")


@final
class NotFinite(Check):
    """A loss or gradient is NaN or infinite: from there on the weights are of no use."""

    explains: ClassVar[tuple[str, ...]] = ("diverging", "exploding", "spikes", "dead", "underfit", "vanishing")

    def look(self, history: History) -> Finding | None:
        """Find the first figure that is no number, and the rows of its step where they are known."""
        broken = [
            (step, name, value) for name in _WATCHED for step, value in history.series(name) if not math.isfinite(value)
        ]
        if not broken:
            return None
        step, name, value = min(broken, key=lambda entry: entry[0])
        half = history.option("train.precision") == "fp16"
        rows, single = self._rows(history, step)
        change = "train.precision=fp32" if half else _advice.rate(history, 0.1)
        cause = "half precision overflows" if half else "the weights overflowed: lower the rate"
        if single:
            cause, change = "these rows alone give no number, the others of the step do: mend or remove them", ""
        return Finding(
            "not_finite",
            "error",
            step,
            max(entry[0] for entry in broken),
            f"{name} is {value} at step {step}, and {len(broken)} logged figures are no numbers",
            cause,
            change,
            rows,
            {"figures": float(len(broken))},
        )

    def _rows(self, history: History, step: int) -> tuple[tuple[str, ...], bool]:
        """Origins of the rows of a step whose own loss is no number, else of all; and whether others have one."""
        rows = history.train_rows
        if rows is None:
            return (), False
        drawn = [(int(row), float(loss)) for row, loss in zip(rows.row, rows.loss, strict=True)]
        there = [entry for entry, at in zip(drawn, rows.step, strict=True) if at == step]
        broken = [entry for entry in there if not math.isfinite(entry[1])]
        named = tuple(dict.fromkeys(rows.origin(row) for row, _ in (broken or there)[:20]))
        return named, 0 < len(broken) < len(there)
