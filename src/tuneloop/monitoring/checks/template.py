"""Template: rows are written in another form than the one the model was taught to read."""

from __future__ import annotations

from typing import ClassVar, final

from pydantic import Field

from tuneloop.monitoring.checks import Check
from tuneloop.monitoring.history import History
from tuneloop.rows import Finding


@final
class Template(Check):
    """The model's own chat template gave way to another, or the rows bring the markers of one as plain text."""

    explains: ClassVar[tuple[str, ...]] = ("never_stops", "underfit", "rate_too_low", "capacity")

    markers: float = Field(0.05, gt=0, lt=1)
    """Share of examples with markers of a chat template in their texts, from which on it is a warning."""
    worse: float = Field(0.02, gt=0)
    """Share by which answers must be less expected under the other template, before training, to be a warning."""
    errors: float = Field(3.0, gt=0)
    """Standard errors by which they must, too."""

    def look(self, history: History) -> Finding | None:
        """Look for markers in the rows, then at the template that took the place of the model's own."""
        marked = max(history.fact(f"data/{split}/markers") or 0.0 for split in ("train", "validation"))
        last = history.last.step if history.last else 0
        if marked >= self.markers:
            return Finding(
                "template",
                "warning",
                0,
                last,
                f"the texts of {marked:.0%} of the examples hold markers of a chat template, which then stand twice",
                "give the turns as messages, or plain texts without markers: the model's template puts them in",
                figures={"markers": marked},
            )
        if history.fact("template/own") != 0:
            return None
        return self._another(history, last)

    def _another(self, history: History, last: int) -> Finding | None:
        """Judge a template that is not the model's own by what the model expected before training, under both."""
        own, used = history.fact("template/own_loss"), history.fact("template/used_loss")
        error = history.fact("template/error") or 0.0
        if own is None or used is None:
            return None
        harms = used - own > max(self.worse * own, self.errors * error)
        told = f"before training, answers lose {used:.3f} nats per token under it and {own:.3f} under the model's own"
        return Finding(
            "template",
            "warning" if harms else "note",
            0,
            last,
            f"model.chat_template takes the place of the template that came with the model; {told}",
            "keep the template that the model was tuned with" if harms else "nothing to change, if that is meant",
            change="model.chat_template=null" if harms and history.option("model.chat_template") else "",
            figures={"own_loss": own, "used_loss": used, "error": error},
        )
