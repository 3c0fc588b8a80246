"""Label noise: answers that do not belong to their questions, or labels that do not follow from their texts."""

from __future__ import annotations

import math
from typing import ClassVar, NamedTuple, final

from pydantic import Field

from tuneloop.monitoring.checks import Check
from tuneloop.monitoring.history import History
from tuneloop.monitoring.visits import visits
from tuneloop.rows import Finding


class _Seen(NamedTuple):
    """What speaks for wrong answers.

    Attributes:
        evidence: The sentence.
        figures: Its figures.
        single: Whether single rows are wrong, rather than all.
    """

    evidence: str
    figures: dict[str, float]
    single: bool


@final
class LabelNoise(Check):
    """Rows whose answers or labels are wrong, told from the rows themselves and from what the model made of them.

    Answers share words with their own questions, and labels follow from words of their texts, far more than chance
    would have it; where they do not, and the trained model finds nothing either, they were exchanged. Where only some
    are wrong, their answers fit other questions, or the clearest texts have the wrong label as often as any.
    """

    explains: ClassVar[tuple[str, ...]] = (
        "underfit",
        "plateau",
        "capacity",
        "rate_too_low",
        "small_data",
        "memorised",
        "overfit",
    )

    strangers: float = Field(0.1, gt=0, lt=1)
    """Share of answers that belong to another question, from which on it is a warning, two standard errors aside."""
    kinship: float = Field(0.05, gt=0, lt=1)
    """What answers share with their own questions beyond chance, below which they belong to none."""
    clear: float = Field(0.1, gt=0, lt=1)
    """Share of wrong labels among the clearest texts, above which labels are wrong."""
    evenly: float = Field(0.65, gt=0, le=1)
    """How many times as often the clearest texts must have a wrong label as the others: natural mistakes are rare
    where texts are clear, exchanged labels are everywhere."""
    rows_a_label: int = Field(15, ge=1)
    """Examples that each label must have to judge them."""
    errors: float = Field(3.0, gt=0)
    """Standard errors that make a difference."""
    named: int = Field(20, ge=0)
    """Rows that are named."""

    def look(self, history: History) -> Finding | None:
        """Ask the rows, then the model."""
        seen = self._answers(history) or self._labels(history)
        if seen is None:
            return None
        where = "the rows named lose most and are learned last: read them" if seen.single else "read a few rows"
        return Finding(
            "label_noise",
            "warning" if seen.single else "error",
            0,
            history.last.step if history.last else 0,
            seen.evidence,
            f"no setting mends wrong rows; {where}, and look where questions and answers were put together",
            rows=self._rows(history) if seen.single else (),
            figures=seen.figures,
        )

    def _answers(self, history: History) -> _Seen | None:
        kinship, error = history.fact("data/train/kinship"), history.fact("data/train/kinship/error")
        if kinship is None or error is None:
            return None
        strangers = history.fact("data/train/strangers") or 0.0
        unsure = history.fact("data/train/strangers/error") or 0.0
        if strangers - 2 * unsure >= self.strangers:
            figures = {"strangers": strangers, "kinship": kinship}
            told = f"about {strangers:.0%} of the training answers fit the question of another row, and not their own"
            return _Seen(told, figures, single=True)
        if kinship + self.errors * error > self.kinship or kinship > self.errors * error:
            return None
        asked = _question_helps(history)
        if asked is None or asked > self.errors:
            return None
        return _Seen(
            f"training answers share no more with their own questions than with those of other rows "
            f"({kinship:+.1%} ± {error:.1%}), and held-out answers are as likely behind any other question",
            {"kinship": kinship, "kinship_error": error},
            single=False,
        )

    def _labels(self, history: History) -> _Seen | None:
        names = (
            "label_entropy",
            "label_gain",
            "label_gain/error",
            "clear_wrong",
            "unclear_wrong",
            "examples",
            "labels",
        )
        facts = [history.fact(f"data/train/{name}") for name in names]
        entropy, gain, error, clear, unclear, examples, labels = (math.nan if fact is None else fact for fact in facts)
        if not examples >= self.rows_a_label * labels:
            return None
        lowest = min(history.values("validation/loss"), default=math.inf)
        if gain <= 2 * error and lowest > 0.85 * entropy:
            model = f"; the model comes to {lowest:.3f} on held-out rows" if lowest < math.inf else ""
            return _Seen(
                f"labels do not follow from the texts: counting words tells them no better than how frequent they are "
                f"({entropy:.3f} nats, gain {gain:.3f} ± {error:.3f}){model}",
                {"label_gain": gain, "label_entropy": entropy},
                single=False,
            )
        chance = math.sqrt(max(clear * (1 - clear), 0.0) / max(1.0, examples / 4))
        if clear - 2 * chance > self.clear and clear >= self.evenly * unclear and lowest > 0.4 * entropy:
            told = f"{clear:.0%} of the clearest texts have a label that their words deny, {unclear:.0%} of the rest"
            return _Seen(told, {"clear_wrong": clear, "unclear_wrong": unclear}, single=True)
        return None

    def _rows(self, history: History) -> tuple[str, ...]:
        """Origins of the rows that lost most over all their visits but the first."""
        if history.train_rows is None:
            return ()
        seen = visits(history.train_rows)
        if not len(seen.loss):
            return ()
        lost = seen.loss[1:].mean(axis=0) if len(seen.loss) > 1 else seen.loss[0]
        order = (-lost).argsort(kind="stable")[: self.named]
        return tuple(history.train_rows.origin(int(row)) for row in seen.rows[order])


def _question_helps(history: History) -> float | None:
    """By how many standard errors held-out answers are likelier behind their own question, at the last measurement."""
    shuffled, error = history.series("validation/shuffled_loss"), history.latest("validation/shuffled_loss/error")
    own = dict(history.series("validation/loss"))
    if not shuffled or not error or shuffled[-1][0] not in own:
        return None
    step, loss = shuffled[-1]
    return (loss - own[step]) / error
