"""Curves in text: a chart of several series, and one-line sparklines."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

_BARS = "▁▂▃▄▅▆▇█"
Series = Sequence[tuple[int, float]]


def spark(values: Sequence[float], width: int = 24) -> str:
    """Draw values as one line of bars, averaged to the width.

    Example:
        >>> spark([1, 2, 3, 4])
        '▁▃▆█'
    """
    means = _columns(list(enumerate(values)), 0, max(1, len(values) - 1), min(width, len(values)))
    known = [mean for mean in means if mean is not None]
    if not known:
        return ""
    low, high = min(known), max(known)
    scale = (len(_BARS) - 1) / (high - low) if high > low else 0.0
    return "".join(" " if mean is None else _BARS[round((mean - low) * scale)] for mean in means)


def chart(series: Mapping[str, Series], *, width: int = 64, height: int = 10) -> list[str]:
    """Draw several series over the same steps, each with its own mark; later ones stand in front.

    Args:
        series: (step, value) pairs by mark, one letter each.
        width: Columns of the drawing, the scale not counted.
        height: Lines of the drawing.

    Returns:
        The lines, with a scale on the left and the steps below; none without values.
    """
    points = [(step, value) for pairs in series.values() for step, value in pairs if math.isfinite(value)]
    if not points:
        return []
    first, last = min(step for step, _ in points), max(step for step, _ in points)
    width = max(1, min(width, last - first + 1))
    drawn = {mark: _columns(pairs, first, last, width) for mark, pairs in series.items()}
    values = [value for columns in drawn.values() for value in columns if value is not None]
    low, high = min(values), max(values)
    span = (high - low) or 1.0
    grid = [[" "] * width for _ in range(height)]
    for mark, columns in drawn.items():
        for column, value in enumerate(columns):
            if value is not None:
                grid[round((high - value) / span * (height - 1))][column] = mark
    scale = [high - span * line / (height - 1) for line in range(height)]
    lines = [f"{value:8.3f} │{''.join(row)}".rstrip() for value, row in zip(scale, grid, strict=True)]
    left = f"{first:,}"
    return [*lines, f"{'':8} └{'─' * width}", f"{'':10}{left}{f'{last:,}'.rjust(max(1, width - len(left)))}"]


def _columns(pairs: Series, first: int, last: int, width: int) -> list[float | None]:
    """The mean of the values that fall in each column; None where there is none."""
    sums, counts = [0.0] * width, [0] * width
    for step, value in pairs:
        if math.isfinite(value):
            column = min(width - 1, (step - first) * width // max(1, last - first + 1))
            sums[column] += value
            counts[column] += 1
    return [total / count if count else None for total, count in zip(sums, counts, strict=True)]
