"""Capacity: an adapter of so few weights that it cannot hold what the rows teach."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar, final

from pydantic import Field

from tuneloop.monitoring import trend
from tuneloop.monitoring.checks import Check
from tuneloop.monitoring.history import History
from tuneloop.rows import Finding


@final
class Capacity(Check):
    """A low-rank adapter settles at a loss well above nothing, equally far from rows it has seen and has not seen.

    A run that could hold more shows it: its training loss goes on falling, and away from the held-out loss. Where the
    sizes are known, the rows must also hold more than the adapter can: two bits a weight, against one a learned token.
    Where they hold many times more and little was gained, a short run need not have settled.

    Source:
        Allen-Zhu and Li, Physics of Language Models: Part 3.3, Knowledge Capacity Scaling Laws, 2024 (two bits a
        weight).
    """

    explains: ClassVar[tuple[str, ...]] = ("underfit", "plateau")
    rank: int = Field(4, ge=1)
    """Rank of the largest adapter that is suspected."""
    gap: float = Field(0.05, gt=0)
    """Share by which the held-out loss may lie above the training loss."""
    settled: float = Field(0.2, gt=0, lt=1)
    """Share of the whole fall that the second half of the run may bring."""
    times: float = Field(4.0, gt=1)
    """Times as much as the adapter can hold that the rows must say to suspect it before the losses have settled."""
    little: float = Field(0.15, gt=0, lt=1)
    """Share of the first held-out loss below which the gain must be, to do so."""
    loss: float = Field(0.5, ge=0)
    """Training loss below which there is little left to learn, in nats per token."""
    steps: int = Field(20, ge=4)
    """Logged steps of the shortest run that is judged."""

    def look(self, history: History) -> Finding | None:
        """See whether the adapter is small, and both losses settled at the same height."""
        adapter = history.option("train.adapter.lora")
        rank = adapter.get("r") if isinstance(adapter, Mapping) else None
        series, held_out = trend.curve(history, "train/loss"), trend.curve(history, "validation/loss")
        levels = trend.ends([value for _, value in series])
        if not isinstance(rank, int) or rank > self.rank or len(series) < self.steps or len(held_out) < 3 or not levels:
            return None
        last, (first_step, first), (last_step, end) = levels[1], held_out[0], held_out[-1]
        half = min(value for step, value in held_out if step <= max(last_step / 2, held_out[1][0]))
        apart = end - last.value > self.gap * end + 2 * last.error
        settled = half - end <= self.settled * (first - end)
        starved = first - end < self.little * first and self._holds(history) * self.times < 1
        if last.value < self.loss or apart or not (settled or starved) or self._holds(history) > 1:
            return None
        change = f"train.adapter={json.dumps({'lora': self._larger(adapter, rank)})}"
        return Finding(
            "capacity",
            "warning",
            first_step,
            last_step,
            f"with rank {rank} the training loss came to {last.value:.3f} and the held-out loss at {end:.3f}: "
            f"the second half of the run brought {max(0.0, half - end):.3f} of {first - end:.3f} nats",
            "give the adapter a higher rank, in all layers",
            change,
            figures={"rank": float(rank), "train": last.value, "held_out": end},
        )

    def _holds(self, history: History) -> float:
        """Share of what the rows say that the adapter can hold; 1 where the sizes are not known."""
        weights, tokens = history.fact("model/trained"), history.fact("data/train/learned_tokens")
        return 2 * weights / tokens if weights is not None and tokens else 1.0

    def _larger(self, adapter: Mapping[str, Any], rank: int) -> dict[str, Any]:
        """The adapter's options with a higher rank, the same scale, and every linear layer."""
        scale = adapter.get("lora_alpha", 2 * rank) / rank
        kept = {name: value for name, value in adapter.items() if value is not None}
        more = {"r": 4 * self.rank, "lora_alpha": round(4 * self.rank * scale), "target_modules": "all-linear"}
        return {**kept, **more}
