"""The card as a page: ``card.html``, one file that needs nothing else: no script, no link, no font, no network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuneloop.data.card import pictures
from tuneloop.data.card.compliance import Point, compliance, listed, verdict
from tuneloop.data.card.flow import flow
from tuneloop.data.card.licences import spoken
from tuneloop.data.card.markdown import split_said
from tuneloop.data.card.told import findings, languages, topics
from tuneloop.monitoring.page import environment

if TYPE_CHECKING:
    from markupsafe import Markup

MANY = 20
"""Lines of a table that are shown at once; the others fold."""


def render(report: Mapping[str, Any], points: list[Point] | None = None) -> str:
    """Make the page of a dataset.

    Args:
        report: What ``report.json`` holds.
        points: What should be known before training; by default what the report alone says.

    Returns:
        A whole HTML document. Everything in it that came from rows or the recipe is escaped.
    """
    from markupsafe import Markup

    points = compliance(report) if points is None else points
    severity, said = verdict(points)
    survey = report.get("survey") or {}
    way = flow(report)
    lengths = [
        (split, _bars(report["characters"], split, "characters"), _bars(survey.get("tokens") or {}, split, "tokens"))
        for split, count in report["splits"].items()
        if count
    ]
    template = environment(Path(__file__).parent).get_template("page.html.jinja")
    return template.render(
        report=report,
        rows=report["rows"],
        survey=survey,
        points=points,
        severity=severity,
        verdict=said,
        way=way,
        river=Markup(pictures.river(way)),  # noqa: S704 - it escapes what it is given
        lengths=lengths,
        languages=languages(report),
        by_step=any(step["step"] == "language" for step in report.get("steps", ())),
        topics=topics(report),
        findings=findings(report),
        sources=[{**source, "asks": spoken(source.get("licence") or "")} for source in report.get("sources", ())],
        rule=split_said(report["split"]) if report.get("split") else "",
        listed=listed,
        many=MANY,
    )


def _bars(lengths: Mapping[str, Any], split: str, unit: str) -> Markup:
    from markupsafe import Markup

    return Markup(pictures.bars(lengths.get(split, []), f"{split}, {unit} of a row"))  # noqa: S704 - numbers only
