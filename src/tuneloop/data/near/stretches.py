"""Stretches: so many members at a time that their partners have room in memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray


def stretches(partners: NDArray[Any], room: int) -> Iterator[tuple[int, int, NDArray[Any], NDArray[Any]]]:
    """Cut members into stretches whose partners are not more than there is room for, unless one alone has more.

    Args:
        partners: How many partners each member has, ``(members,)``.
        room: Most partners of a stretch.

    Yields:
        Where a stretch begins and ends, the partners of its members, and for each of all these partners, which of its
        member's it is, counted from 0.

    Example:
        >>> [(start, end, turn.tolist()) for start, end, _, turn in stretches(np.array([2, 1, 3]), room=3)]
        [(0, 2, [0, 1, 0]), (2, 3, [0, 1, 2])]
    """
    ends = np.cumsum(partners)
    start = 0
    while start < len(partners):
        done = ends[start - 1] if start else 0
        end = max(start + 1, int(np.searchsorted(ends, done + room, side="right")))
        part = partners[start:end]
        yield start, end, part, np.arange(part.sum()) - np.repeat(np.cumsum(part) - part, part)
        start = end
