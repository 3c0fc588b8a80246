"""Forgetting: what the model could do before is lost."""

from __future__ import annotations

import math
from typing import final

from pydantic import Field

from tuneloop.monitoring import trend
from tuneloop.monitoring.checks import Check, _advice
from tuneloop.monitoring.history import History
from tuneloop.rows import Finding

WORDED = ("sft", "distillation", "pretrain")
"""Tasks whose loss is in nats per token, as that of general texts is; of others little may be left to gain."""


@final
class Forgetting(Check):
    """General texts become far less expected than before training, or one source gets worse while others are learned.

    Every tuning costs some of it: the further away the new rows are, the more. It is a warning where texts that the
    model knew have at least doubled in perplexity, and far more was lost there than was gained on held-out rows.
    """

    rise: float = Field(0.7, gt=0)
    """Nats per token by which general texts must have become less expected; 0.7 doubles the perplexity."""
    price: float = Field(4.0, gt=0)
    """How many times what was gained on held-out rows must have been lost on general texts, both in nats per token;
    half as many where hardly anything is left."""
    left: float = Field(0.25, ge=0, lt=1)
    """Share of what the model knew of general texts, against knowing nothing but its vocabulary, that is hardly any."""
    mention: float = Field(0.25, gt=0)
    """Nats per token from which on it is mentioned."""
    source: float = Field(0.05, gt=0)
    """Share by which the held-out loss of a source must have risen."""

    def look(self, history: History) -> Finding | None:
        """Compare general texts before and after, then each source."""
        general = trend.curve(history, "general/loss")
        if len(general) > 1:
            (first, before), (last, now) = general[0], general[-1]
            if now - before >= self.mention:
                return self._general(history, first, last, before, now)
        return self._sources(history)

    def _general(self, history: History, first: int, last: int, before: float, now: float) -> Finding:
        held_out = [value for _, value in trend.curve(history, "validation/loss")]
        gained = held_out[0] - min(held_out) if held_out else 0.0
        lost = now - before
        words = history.fact("model/vocabulary")
        little = (
            words is not None
            and 1 < words < math.inf
            and math.log(words) - now < self.left * (math.log(words) - before)
        )
        worded = history.part("task", "sft") in WORDED
        price = (self.price / 2 if little else self.price) * (gained if worded else max(gained, self.rise))
        serious = lost >= max(self.rise, price)
        gain = f", while held-out rows gained {gained:.3f}" if held_out else ""
        return Finding(
            "forgetting",
            "warning" if serious else "note",
            first,
            last,
            f"general texts lose {now:.3f} nats per token instead of {before:.3f} before training (+{lost:.3f}){gain}",
            "learn more slowly, and mix rows of the old kind in",
            change=_advice.rate(history, 1 / 5) if serious else "",
            figures={"before": before, "now": now, "gained": gained},
        )

    def _sources(self, history: History) -> Finding | None:
        """Look for a source whose held-out rows got worse from evaluation to evaluation while another one's fell."""
        prefix = "validation/loss/source/"
        measured = {name: trend.curve(history, prefix + name) for name in history.under(prefix)}
        sources = {name: series for name, series in measured.items() if len(series) > 3}
        fell = [name for name, series in sources.items() if series[-1][1] < series[0][1] * (1 - self.source)]
        for name, series in sources.items():
            values = [value for _, value in series]
            if fell and values[-1] > values[0] * (1 + self.source) and values[-1] >= values[-2] >= values[-3]:
                return Finding(
                    "forgetting",
                    "warning",
                    series[0][0],
                    series[-1][0],
                    f"held-out rows of {name} lose {values[-1]:.3f} nats instead of {values[0]:.3f} before training, "
                    f"while {fell[0]} gets better",
                    f"give {name} a larger share of the training rows (share of its source), or learn more slowly",
                    change=_advice.rate(history, 1 / 3),
                    figures={"before": values[0], "now": values[-1]},
                )
        return None
