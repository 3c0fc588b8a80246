"""What an evaluation itself finds worth saying, beside what the checks of the run found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tuneloop.evaluation.answers import Answered
from tuneloop.evaluation.compared import Compared
from tuneloop.evaluation.section import EvaluateSection
from tuneloop.evaluation.subject import Measured
from tuneloop.evaluation.verdict import difference
from tuneloop.rows import Finding

__all__ = ["Deciding", "Finding", "deciding", "of_evaluation", "of_regression"]

FEW = 30


@dataclass(frozen=True)
class Deciding:
    """The figure by which the tuned model was judged against its base.

    Attributes:
        figure: Its name.
        found: The difference that was found; None where there was nothing to compare.
    """

    figure: str
    found: Compared | None = None

    @property
    def unseen(self) -> str:
        """How large a difference had to be, to be seen on so many rows."""
        if self.found is None or not self.found.found.detectable:
            return ""
        least = difference(self.found.figure, self.found.found.detectable).removeprefix("+")
        return f"; with {self.found.found.n:,} rows, differences below {least} cannot be seen"


def deciding(compared: Sequence[Compared], figure: str) -> Deciding:
    """The difference of tuned and base in the figure that decides."""
    pair = [each for each in compared if (each.first, each.second) == ("base", "tuned")]
    return Deciding(figure, next((each for each in pair if each.figure.removesuffix("/row") == figure), None))


def of_evaluation(
    section: EvaluateSection,
    measured: Mapping[str, Measured],
    answered: Sequence[Answered],
    judged: str,
    by: Deciding,
) -> list[Finding]:
    """Find what a reader must know before believing the scores.

    Args:
        section: On what and how was measured.
        measured: What each model showed.
        answered: The answers with their scores.
        judged: ``better``, ``worse``, ``unclear``, or empty without a base.
        by: The difference by which that was judged.
    """
    tuned = measured["tuned"]
    found = [_judgement(judged, by)] if judged in ("worse", "unclear") else []
    if section.split == "train":
        found.append(
            _finding(
                "warning",
                "these are the rows the model learned from: the scores say how much it remembers, not what it can",
                "evaluate on the test split",
            )
        )
    if answered and len(answered) < FEW:
        found.append(
            _finding(
                "note", f"only {len(answered)} rows were answered, so the intervals are wide", "hold more rows out"
            )
        )
    cut = sum(1 for row in answered if row.finish["tuned"] == "length")
    if cut:
        found.append(
            _finding(
                "warning" if cut > 0.1 * len(answered) else "note",
                f"{cut} of {len(answered)} tuned answers were cut off before the model ended them",
                f"raise evaluate.max_new_tokens above {section.max_new_tokens}; if they never end, train longer",
            )
        )
    if tuned.held_out.dropped:
        reasons = ", ".join(f"{reason} ({count})" for reason, count in sorted(tuned.held_out.dropped.items()))
        found.append(_finding("note", f"rows not in the loss: {reasons}", "raise train.max_length, or mend these rows"))
    if tuned.too_long:
        found.append(
            _finding(
                "note", f"{tuned.too_long} rows fill the whole context and were not asked", "shorten their prompts"
            )
        )
    return found


def of_regression(regression: Mapping[str, Any]) -> list[Finding]:
    """Tell which rows that must stay right are wrong now, those that were right before first."""
    if not regression or not regression["wrong"]:
        return []
    broken, wrong = regression["broken"], regression["wrong"]
    evidence = f"{len(wrong)} of {regression['rows']} rows that must stay right are wrong"
    if broken:
        evidence += f", {len(broken)} of them were right with {regression['against']}"
    told = _finding("error" if broken else "warning", evidence, "read them in regression.jsonl; add rows like them")
    return [Finding(told.check, told.severity, 0, 0, evidence, told.advice, rows=tuple([*broken, *wrong][:20]))]


def _judgement(judged: str, by: Deciding) -> Finding:
    figure = by.figure
    if judged == "worse":
        return _finding(
            "error",
            f"the tuned model is worse than its base, by {figure}",
            "do not release it; lower learning_rate, train fewer epochs, or look at the rows it learned from",
        )
    return _finding(
        "warning",
        f"the difference of base and tuned in {figure} is no larger than chance alone may make it{by.unseen}",
        "hold more rows out, train longer, or raise learning_rate; look at the answers and at the other figures",
    )


def _finding(severity: Literal["note", "warning", "error"], evidence: str, advice: str) -> Finding:
    return Finding("evaluation", severity, 0, 0, evidence, advice)
