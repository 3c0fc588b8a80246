"""The page: ``report.html``, one file that needs nothing else: no script, no link, no font, no network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tuneloop.evaluation import cards, curves, verdict
from tuneloop.evaluation.groups import FEW
from tuneloop.evaluation.labels import MATRIX
from tuneloop.monitoring.page import environment

_RIGHT, _WRONG = "right", "wrong"


def render(told: dict[str, Any]) -> str:
    """Make the page of a report.

    Args:
        told: The content of ``report.json``.

    Returns:
        A whole HTML document. Everything in it that came from rows, answers or the recipe is escaped.
    """
    from markupsafe import Markup

    pages = environment(Path(__file__).parent)
    pages.filters |= {
        "title": verdict.title,
        "spoken": verdict.spoken,
        "change": change,
        "difference": verdict.difference,
        "chance": chance,
        "yaml": as_yaml,
        "mark": mark,
    }
    pages.tests["share"] = verdict.is_share
    figures = told["figures"]
    drawn = curves.draw(figures.get("train/loss", []), figures.get("validation/loss", []), told["overfitting"])
    facts = {
        "Model": cards.model(told["model"]),
        "Environment": cards.environment(told["environment"]),
        "What learning did": cards.receipts(told["receipts"]),
    }
    template = pages.get_template("page.html.jinja")
    return template.render(**told, widest=MATRIX, few=FEW, curves=Markup(drawn), cards=facts, hero=hero(told))  # noqa: S704 - numbers only


def hero(told: dict[str, Any]) -> dict[str, Any]:
    """The one figure that the page opens with, of base and tuned model where they have it."""
    figure, scores = told["lead"], told["scores"]
    return {
        "figure": figure,
        "sides": {side: scores[side][figure]["mean"] for side in ("base", "tuned") if figure in scores.get(side, {})},
    }


def mark(row: dict[str, Any], side: str, metrics: list[str]) -> dict[str, str]:
    """How an answer is marked: right or wrong, or its first score where being exactly right is not the point.

    Example:
        >>> row = {"tuned": "half past 7", "reference": "19:30", "scores": {"tuned": {"chrf": 0.08}}}
        >>> mark(row, "tuned", ["chrf"])
        {'kind': 'partly', 'text': 'chrF 8 %'}
    """
    if row[side].strip() == row["reference"].strip():
        return {"kind": _RIGHT, "text": _RIGHT}
    first = metrics[0]
    if first in ("exact_match", "accuracy"):
        return {"kind": _WRONG, "text": _WRONG}
    return {"kind": "partly", "text": f"{verdict.title(first)} {verdict.spoken(first, row['scores'][side][first])}"}


def chance(p: float) -> str:
    """A p-value as a person reads it.

    Example:
        >>> chance(0.00002), chance(0.034), chance(1.0)
        ('< 0.001', '0.034', '1')
    """
    return "< 0.001" if p < 0.001 else f"{p:.2g}"


def change(figure: str, before: float, after: float) -> str:
    """The difference of two scores: in points where they are shares, in per cent of the first where they are not.

    Example:
        >>> change("exact_match", 0.0, 0.94), change("loss", 2.0, 1.5)
        ('+94 points', '−25 %')
    """
    if figure in ("loss", "perplexity", "rewards/margins"):
        return verdict.signed(100 * (after - before) / before, " %") if before else ""
    return verdict.signed(100 * (after - before), " points")


def as_yaml(value: dict[str, Any]) -> str:
    """A value as YAML, keys in their own order."""
    import yaml

    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=100)
