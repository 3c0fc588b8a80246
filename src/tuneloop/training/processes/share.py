"""Shares: which rows of a step each process takes."""

from __future__ import annotations

import heapq
from collections.abc import Sequence


def share(rows: Sequence[int], lengths: Sequence[int], count: int) -> list[list[int]]:
    """Split rows over processes so that each has about as many tokens: the longest row left to the one with least.

    Args:
        rows: The rows.
        lengths: Tokens of each of them.
        count: Processes.

    Returns:
        The rows of each process, in the order given; every row once. Where there are fewer rows than processes,
        some have none.

    Example:
        >>> share([7, 8, 9], [10, 90, 70], 2)
        [[8], [7, 9]]
    """
    if count == 1:
        return [list(rows)]
    load = [(0, 0, rank) for rank in range(count)]
    taken: list[list[int]] = [[] for _ in range(count)]
    for place in sorted(range(len(rows)), key=lambda place: (-lengths[place], place)):
        tokens, held, rank = heapq.heappop(load)
        taken[rank].append(place)
        heapq.heappush(load, (tokens + lengths[place], held + 1, rank))
    return [[rows[place] for place in sorted(places)] for places in taken]
