"""Thinning: as many points of a curve as a screen can show, its peaks kept."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

Points = Sequence[tuple[int, float]]


def thin(points: Points, most: int = 600) -> list[tuple[int, float]]:
    """The lowest and the highest point of each stretch of a curve, its ends kept; all of a short curve.

    Args:
        points: (step, value) pairs.
        most: About how many points are kept.

    Example:
        >>> thin([(1, 5.0), (2, 1.0), (3, 2.0), (4, 9.0), (5, 3.0), (6, 4.0)], 4)
        [(1, 5.0), (2, 1.0), (4, 9.0), (6, 4.0)]
    """
    known = [(step, value) for step, value in points if math.isfinite(value)]
    if len(known) <= most:
        return known
    return [known[0], *_extremes(known[1:-1], max(1, most // 2 - 1)), known[-1]]


def _extremes(points: Points, stretches: int) -> Iterator[tuple[int, float]]:
    for index in range(stretches):
        part = points[len(points) * index // stretches : len(points) * (index + 1) // stretches]
        if part:
            low, high = min(part, key=lambda point: point[1]), max(part, key=lambda point: point[1])
            yield from sorted({low, high})


def table(rows: Mapping[str, Points], columns: int = 120) -> tuple[list[int], list[list[float | None]]]:
    """Several curves as one table of means: a row each, over the same columns of steps.

    Args:
        rows: (step, value) pairs by name.
        columns: The most columns there may be.

    Returns:
        The first step of each column, and the values, None where there are none.

    Example:
        >>> table({"a": [(1, 1.0), (2, 3.0), (3, 5.0)], "b": [(3, 7.0)]}, columns=2)
        ([1, 3], [[2.0, 5.0], [None, 7.0]])
    """
    steps = sorted({step for points in rows.values() for step, _ in points})
    size = -(-len(steps) // columns) or 1
    place = {step: index // size for index, step in enumerate(steps)}
    return steps[::size], [_means(points, place, -(-len(steps) // size)) for points in rows.values()]


def _means(points: Points, place: Mapping[int, int], columns: int) -> list[float | None]:
    sums, counts = [0.0] * columns, [0] * columns
    for step, value in points:
        if math.isfinite(value):
            sums[place[step]] += value
            counts[place[step]] += 1
    return [total / count if count else None for total, count in zip(sums, counts, strict=True)]
