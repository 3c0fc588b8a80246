"""What an evaluation itself finds worth saying, beside what the checks of the run found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from tuneloop.evaluation.answers import Answered
from tuneloop.evaluation.section import EvaluateSection
from tuneloop.rows import Finding

if TYPE_CHECKING:
    from tuneloop.evaluation.summary import Measured

FEW = 30


def of_evaluation(
    section: EvaluateSection, measured: Mapping[str, Measured], answered: Sequence[Answered], judged: str, by: str
) -> list[Finding]:
    """Find what a reader must know before believing the scores.

    Args:
        section: On what and how was measured.
        measured: What each model showed.
        answered: The answers with their scores.
        judged: ``better``, ``worse``, ``unclear``, or empty without a base.
        by: The figure by which that was judged.
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


def _judgement(judged: str, figure: str) -> Finding:
    if judged == "worse":
        return _finding(
            "error",
            f"the tuned model is worse than its base, by {figure}",
            "do not release it; lower learning_rate, train fewer epochs, or look at the rows it learned from",
        )
    return _finding(
        "warning",
        f"the difference of base and tuned in {figure} is no larger than chance alone may make it",
        "hold more rows out, train longer, or raise learning_rate; look at the answers and at the other figures",
    )


def _finding(severity: Literal["note", "warning", "error"], evidence: str, advice: str) -> Finding:
    return Finding("evaluation", severity, 0, 0, evidence, advice)
