"""The verdict: a report's result in one sentence, and its figures as a person reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tuneloop.evaluation.compared import Compared
from tuneloop.evaluation.compared import verdict as by_chance

NATS = frozenset({"loss", "loss/row", "rewards/margins"})
"""Figures told as they are, with three digits."""
_TITLES = {
    "token_f1": "Token F1",
    "rouge_l": "ROUGE-L",
    "chrf": "chrF",
    "macro_f1": "Macro F1",
    "rewards/accuracies": "Reward accuracy",
    "rewards/margins": "Reward margin",
    "logps/accuracies": "Chosen answer likelier",
    "loss/row": "Loss per row",
    "judge": "Judge",
}


def leading(scores: Mapping[str, Any], metrics: Sequence[str]) -> str:
    """The figure that a report opens with: what the task itself prefers, the first metric, the perplexity or the loss.

    Example:
        >>> leading({"tuned": {"loss": {}, "perplexity": {}}}, [])
        'perplexity'
    """
    known = scores["tuned"]
    return next(name for name in ("rewards/accuracies", *metrics[:1], "perplexity", "loss") if name in known)


def verdict(scores: Mapping[str, Any], metrics: Sequence[str], rows: int, split: str) -> str:
    """Say the result in one sentence, by the leading figure.

    Example:
        >>> scores = {side: {"exact_match": {"mean": value}} for side, value in (("base", 0), ("tuned", 0.944))}
        >>> verdict(scores, ["exact_match"], 180, "test")
        'Exact match 0 % → 94 % on 180 held-out rows'
    """
    figure = leading(scores, metrics)
    sides = [side for side in ("base", "tuned") if figure in scores.get(side, {})]
    told = [spoken(figure, scores[side][figure]["mean"]) for side in sides]
    kind = "training" if split == "train" else "held-out"
    return f"{title(figure)} {' → '.join(told)} on {rows:,} {kind} row{'' if rows == 1 else 's'}"


def title(figure: str) -> str:
    """The name of a metric as a person reads it."""
    return _TITLES.get(figure, figure.replace("_", " ").capitalize())


def is_share(figure: str) -> bool:
    """Whether a figure lies between 0 and 1, so that it is told in per cent."""
    return figure not in NATS and figure != "perplexity"


def spoken(figure: str, value: float) -> str:
    """A score as a person reads it: a loss with three digits, a perplexity with four, all others in per cent."""
    if figure in NATS:
        return f"{value:.3f}"
    if figure == "perplexity":
        return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"
    share = 100 * value
    return f"{share:.1f} %" if 0 < share < 1 or 99 < share < 100 else f"{share:.0f} %"


def difference(figure: str, value: float) -> str:
    """A difference of two scores as a person reads it: in points where the figure is a share.

    Example:
        >>> difference("exact_match", 0.94), difference("loss", -0.5)
        ('+94 points', '−0.500')
    """
    if not is_share(figure):
        return signed(value, "", 3)
    return signed(100 * value, " points", 1 if 0 < abs(value) < 0.0995 else 0)


def signed(value: float, unit: str, digits: int | None = None) -> str:
    """A figure with its sign; by default in whole numbers, with a digit behind the point below one."""
    shown = f"{abs(value):.{(1 if 0 < abs(value) < 1 else 0) if digits is None else digits}f}"
    return f"{'−' if value < 0 else '+'}{shown}{unit}"


def judge(compared: Sequence[Compared], figure: str) -> str:
    """Say whether the tuned model is ``better`` than the base, ``worse``, or the difference ``unclear``.

    The figure is named before anything is measured, so its own p-value counts, not the one raised for all figures.
    Empty without a base.

    Args:
        compared: Every difference that was found.
        figure: The figure that decides.
    """
    pair = [each for each in compared if (each.first, each.second) == ("base", "tuned")]
    found = [each for each in pair if each.figure.removesuffix("/row") == figure]
    if not pair:
        return ""
    return by_chance(found[0].figure, found[0].found, found[0].found.p) if found else "unclear"
