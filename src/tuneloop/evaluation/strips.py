"""Strips: the intervals of several models in one figure, each on its line, on one scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

WIDTH, LINE, EDGE = 260, 14, 8
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b58900", "#56b4e9", "#7f7f7f", "#882255")
"""Told apart by people who see fewer colours too (after Okabe and Ito); letters stand beside them in any case."""


def letter(place: int) -> str:
    """The letter of a model by its place: A, B, C, and after Z numbers."""
    return chr(ord("A") + place) if place < 26 else str(place + 1)


def colour(place: int) -> str:
    """The colour of a model by its place."""
    return COLOURS[place % len(COLOURS)]


def draw(scores: Sequence[Mapping[str, Any] | None], title: str) -> str:
    """Draw one figure of several models.

    Args:
        scores: ``mean``, ``low`` and ``high`` of each model; None where a model does not have the figure.
        title: What the figure is called.

    Returns:
        An ``<svg>`` element; empty where no model has an interval.
    """
    ends = [float(score[end]) for score in scores if score for end in ("low", "high") if end in score]
    if not ends:
        return ""
    low, high = min(ends), max(ends)
    room = (high - low) or abs(high) or 1.0

    def at(value: float) -> float:
        return round(EDGE + 14 + (WIDTH - 2 * EDGE - 14) * (value - low) / room, 1)

    height = LINE * len(scores) + 4
    label = escape(f"{title} with its 95 % intervals", quote=True)
    parts = [f'<svg class="strips" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{label}">']
    for place, score in enumerate(scores):
        y, tint = 2 + LINE * (place + 0.5), colour(place)
        parts.append(f'<text x="{EDGE}" y="{y + 4}" text-anchor="middle">{letter(place)}</text>')
        parts.append(f'<line class="rail" x1="{EDGE + 14}" x2="{WIDTH - EDGE}" y1="{y}" y2="{y}"/>')
        if score and "low" in score:
            x0, x1, x = at(score["low"]), at(score["high"]), at(min(max(score["mean"], low), high))
            parts.append(f'<line class="reach" style="stroke: {tint}" x1="{x0}" x2="{x1}" y1="{y}" y2="{y}"/>')
            parts.append(f'<circle style="fill: {tint}" cx="{x}" cy="{y}" r="4"/>')
    return "".join([*parts, "</svg>"])
