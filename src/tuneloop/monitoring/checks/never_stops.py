"""Never stops: the model does not learn where an answer ends."""

from __future__ import annotations

from typing import ClassVar, Literal, final

from pydantic import Field

from tuneloop.monitoring.checks import Check
from tuneloop.monitoring.history import History
from tuneloop.rows import Finding

WRITING = ("sft", "distillation", "preference")
"""Tasks whose answers end."""


@final
class NeverStops(Check):
    """Answers without an end token, or an end token that stays improbable where answers end.

    A model that stops has learned a contrast: at the end of an answer the end token is many times as probable as
    inside it. How probable it is depends on the answers (a list can always go on); the contrast does not.
    """

    explains: ClassVar[tuple[str, ...]] = ("truncated",)

    ended: float = Field(0.9, gt=0, lt=1)
    """Share of examples with an end token, below which the others are missed."""
    probability: float = Field(0.02, gt=0, lt=1)
    """Mean probability of the end token where answers end, below which the model does not stop."""
    contrast: float = Field(3.0, gt=1)
    """How many times as probable it must be there as inside the answers."""

    def look(self, history: History) -> Finding | None:
        """Read which examples have an end, then how the model sees it."""
        if history.part("task", "sft") not in WRITING:
            return None
        ended = history.fact("data/train/ended")
        if ended is not None and ended < self.ended:
            own = history.fact("template/own")
            another = own == 0 and history.option("model.chat_template") is not None
            return self._told(
                history,
                "error" if ended < 0.5 else "warning",
                f"only {ended:.0%} of the training examples learn an end token",
                "use a chat template that ends the assistant's turn with the tokenizer's end token",
                change="model.chat_template=null" if another else "",
                figures={"ended": ended},
            )
        return self._improbable(history)

    def _improbable(self, history: History) -> Finding | None:
        """See whether the end token came to be expected where answers end."""
        series = history.series("validation/end_probability")
        early, stopped = history.latest("validation/end_early"), history.latest("samples/stopped")
        if len(series) < 3 or early is None or stopped is None or stopped > 0:
            return None
        now, first = series[-1][1], series[0][1]
        if now >= self.probability or now >= self.contrast * early or now > 2 * first:
            return None
        if not _fell(history.values("validation/loss")) or _fell(history.values("validation/loss/end")):
            return None
        learned = history.fact("data/train/ended") is not None  # then the rows have ends, and only time is missing
        return self._told(
            history,
            "note" if learned else "warning",
            f"no sample answer was ended by the model; the end token has a probability of {now:.2%} where answers end, "
            f"and of {early:.2%} inside them",
            "train longer, or with a higher rate: the rows have their end tokens, the model has not learned them yet"
            if learned
            else "look at how the rows end: the end token must stand behind every answer, and nowhere else",
            figures={"end_probability": now, "end_early": early, "stopped": stopped},
        )

    def _told(
        self,
        history: History,
        severity: Literal["note", "warning", "error"],
        evidence: str,
        advice: str,
        *,
        figures: dict[str, float],
        change: str = "",
    ) -> Finding:
        last = history.last.step if history.last else 0
        return Finding("never_stops", severity, 0, last, evidence, advice, change=change, figures=figures)


def _fell(losses: list[float]) -> bool:
    """Whether a loss came down by more than a twentieth: what does not come down yet may still do so."""
    return len(losses) > 1 and losses[-1] < 0.95 * losses[0]
