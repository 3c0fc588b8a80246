"""Inline: trials are trained where the search is."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import final

from tuneloop.tuning.runners import Crew, Place, Runner, Score
from tuneloop.tuning.trials import Order, Outcome


@final
class Inline(Runner):
    """Trains one trial after the other in the process that searches: nothing to start, and nothing that shields it."""

    @contextmanager
    def open(self, place: Place) -> Iterator[Crew]:
        """Give the one worker."""
        yield _Alone(place.score)


class _Alone:
    """The process itself."""

    def __init__(self, score: Score) -> None:
        self._score = score
        self._orders: deque[Order] = deque()

    def give(self, order: Order) -> None:
        self._orders.append(order)

    def take(self) -> Outcome:
        return self._score(self._orders.popleft())
