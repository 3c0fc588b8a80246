"""Curves: a run's losses as one SVG that takes its colours and its font from the page around it.

The picture that a person keeps beside a run comes from :mod:`tuneloop.monitoring.plots`; in a page it would stay
white at night, and its text could be neither searched nor read aloud. This one is drawn for the page.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

Series = Sequence[tuple[int, float]]

WIDTH, HEIGHT = 960, 340
LEFT, RIGHT, TOP, BOTTOM = 56, 16, 14, 40
POINTS = 600


def draw(train: Series, held_out: Series, zone: tuple[int, int] | None) -> str:
    """Draw the training loss and the held-out loss over the steps of a run.

    Args:
        train: Step and loss (nats per token) of each training step.
        held_out: Step and loss of each evaluation.
        zone: First and last step of over-fitting, if there was any.

    Returns:
        An ``<svg>`` element with the classes ``grid``, ``train``, ``mean``, ``held``, ``best`` and ``zone``; empty
        where there is nothing to draw.
    """
    every = [*train, *held_out]
    if not every:
        return ""
    last = max(step for step, _ in every)
    low, high, marks = _scale([value for _, value in [*_running(train), *held_out]])

    def at(step: float, value: float) -> tuple[float, float]:
        x = LEFT + (WIDTH - LEFT - RIGHT) * step / max(1, last)
        share = (min(max(value, low), high) - low) / (high - low)
        return round(x, 1), round(HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share, 1)

    def path(series: Series, name: str) -> str:
        points = " ".join(f"{x},{y}" for x, y in (at(*point) for point in _thin(series)))
        return f'<polyline class="{name}" points="{points}"/>' if points else ""

    parts = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="Loss over the steps of the run">']
    if zone:
        (x0, _), (x1, _) = at(zone[0], low), at(zone[1], low)
        parts.append(f'<rect class="zone" x="{x0}" y="{TOP}" width="{x1 - x0:.1f}" height="{HEIGHT - TOP - BOTTOM}"/>')
        anchor = "start" if x1 - x0 > 90 else "end"
        x = x0 + 8 if anchor == "start" else x1
        parts.append(f'<text class="zone" x="{x}" y="{TOP + 16}" text-anchor="{anchor}">over-fitting</text>')
    for value in marks:
        x, y = at(0, value)
        parts.append(f'<line class="grid" x1="{x}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>')
        parts.append(f'<text x="{x - 10}" y="{y + 4}" text-anchor="end">{value:.6g}</text>')
    for step in _scale([0, last])[2]:
        x, y = at(step, low)
        if step <= last and step.is_integer():
            parts.append(f'<text x="{x}" y="{y + 20}" text-anchor="middle">{step:,.0f}</text>')
    parts.append(f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 4}" text-anchor="end">optimizer step</text>')
    parts += [path(train, "train"), path(_running(train), "mean"), path(held_out, "held")]
    parts += [f'<circle class="held" cx="{x}" cy="{y}" r="3"/>' for x, y in (at(*point) for point in held_out)]
    if held_out:
        parts.append(_lowest(held_out, at(*min(held_out, key=lambda point: point[1]))))
    return "\n".join([*(part for part in parts if part), "</svg>"])


def _lowest(held_out: Series, place: tuple[float, float]) -> str:
    step, value = min(held_out, key=lambda point: point[1])
    x, y = place
    anchor = "end" if x > WIDTH - 220 else "start" if x < 120 else "middle"
    above = y - 14 if y > TOP + 30 else y + 24
    text = escape(f"lowest held-out loss {value:.3f} at step {step:,}")
    circle = f'<circle class="best" cx="{x}" cy="{y}" r="6"/>'
    return f'{circle}\n<text class="best" x="{x}" y="{above:.1f}" text-anchor="{anchor}">{text}</text>'


def _running(series: Series) -> list[tuple[int, float]]:
    """Mean over a centred window of a twentieth of the run."""
    half = max(1, len(series) // 40)
    values = [value for _, value in series]
    windows = (values[max(0, place - half) : place + half + 1] for place in range(len(values)))
    return [(step, sum(window) / len(window)) for (step, _), window in zip(series, windows, strict=True)]


def _thin(series: Series) -> Series:
    """At most about 600 points, the last one among them."""
    stride = -(-len(series) // POINTS) or 1
    return [*series[:-1:stride], *series[-1:]]


def _scale(values: Sequence[float]) -> tuple[float, float, list[float]]:
    """Lower end, upper end and the round marks of an axis that holds some values.

    Example:
        >>> _scale([0.13, 3.4])
        (0.0, 3.5, [0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5])
    """
    low, high = min(values), max(values)
    spread = (high - low) or abs(high) or 1.0
    rough = spread / 8
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    last = max(last, first + 1)
    marks = [round(step * place, 10) for place in range(first, last + 1)]
    return marks[0], marks[-1], marks
