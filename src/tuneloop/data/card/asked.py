"""A card asked for today: where it is, and how the points before training stand on this day."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import msgspec

from tuneloop.data.card import HTML, MARKDOWN
from tuneloop.data.card.compliance import Point, Severity, compliance, due, verdict
from tuneloop.store import Dataset


class Card(msgspec.Struct, frozen=True):
    """Where a dataset's card is, and what should be known before training.

    Attributes:
        dataset: The dataset's id.
        page: The page, to be opened in a browser; empty where there is none.
        text: The same in Markdown.
        severity: The worst of the points.
        verdict: A line about them.
        points: The points.
    """

    dataset: str
    page: str
    text: str
    severity: Severity
    verdict: str
    points: list[Point]


def asked(
    dataset: Dataset, page: Path | None = None, *, base_licence: str | None = None, today: date | None = None
) -> Card:
    """Look up a dataset's card.

    Args:
        dataset: The dataset.
        page: Where to write the page with the points as they stand today; None writes nothing.
        base_licence: The licence of the base model, as :func:`compliance` takes it.
        today: The day; by default the present one, by UTC.
    """
    report = dataset.report
    points = compliance(report, base_licence=base_licence, today=today or _today())
    severity, said = verdict(points)
    if page is not None:
        from tuneloop.data.card.page import render

        page.write_text(render(report, points), encoding="utf-8", newline="\n")
    held = dataset.folder / HTML
    where = page or (held if held.exists() else None)
    return Card(dataset.id, str(where or ""), str(dataset.folder / MARKDOWN), severity, said, points)


def overdue(dataset: Dataset, today: date | None = None) -> Point | None:
    """What to say of a dataset that should have been deleted by now; None of all others.

    Args:
        dataset: The dataset.
        today: The day; by default the present one, by UTC.
    """
    return due(dataset.report, today or _today())


def _today() -> date:
    return datetime.now(UTC).date()
