"""Compared: every figure of two models on the same rows, and which differences are more than chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from tuneloop.evaluation.paired import Paired, compare, holm
from tuneloop.evaluation.shown import Shown

ERROR = 0.05
"""How often a difference may be called real that is none, over all that are told together."""
LOWER_IS_BETTER = frozenset({"loss", "loss/row", "perplexity"})


class Compared(msgspec.Struct, frozen=True):
    """One figure of two models.

    Attributes:
        figure: The figure's name; ``loss/row`` where the two count tokens differently, in nats per row.
        second: The model that is looked at.
        first: The model that it is compared with.
        found: Their difference, the second minus the first.
        holm: Its p-value, raised for all differences that are told together.
        verdict: ``better``, ``worse`` or ``unclear``: what the second is, as far as so many rows can tell.
    """

    figure: str
    second: str
    first: str
    found: Paired
    holm: float
    verdict: str


def compare_all(
    shown: Mapping[str, Shown],
    pairs: Sequence[tuple[str, str]],
    metrics: Sequence[str],
    *,
    seed: int,
    confidence: float = 0.95,
) -> list[Compared]:
    """Compare models by all metrics and by the loss, on the rows that both were measured on.

    Args:
        shown: What each model showed, by its name.
        pairs: Names of a first and a second model.
        metrics: Scores of answers.
        seed: Seed of the draws.
        confidence: How surely each interval holds the difference over all such rows.
    """
    found: list[tuple[str, str, str, Paired]] = []
    for first, second in pairs:
        one, two = shown[first], shown[second]
        rows = [row for row in two.scores if row in one.scores]
        for metric in metrics:
            scores = [[side.scores[row][metric] for row in rows] for side in (one, two)]
            if rows:
                found.append((metric, second, first, compare(*scores, seed=seed, confidence=confidence)))
        rows = [row for row in two.losses if row in one.losses]
        if rows:
            sums = [[side.losses[row][0] for row in rows] for side in (one, two)]
            terms = [[side.losses[row][1] for row in rows] for side in (one, two)]
            same = terms[0] == terms[1]
            told = compare(*sums, seed=seed, weights=terms[0] if same else None, confidence=confidence)
            found.append(("loss" if same else "loss/row", second, first, told))
    raised = holm([each[-1].p for each in found])
    return [Compared(*each, p, verdict(each[0], each[-1], p)) for each, p in zip(found, raised, strict=True)]


def verdict(figure: str, found: Paired, p: float) -> str:
    """What the second model is: ``better``, ``worse`` or, where chance may have made the difference, ``unclear``."""
    if p >= ERROR or not found.difference:
        return "unclear"
    return "better" if (found.difference < 0) == (figure in LOWER_IS_BETTER) else "worse"
