"""Feedback: what a person said of an exchange."""

from __future__ import annotations

from typing import Any, Literal

import msgspec


class Feedback(msgspec.Struct, frozen=True):
    """One judgement of one exchange.

    Attributes:
        id: Its own id.
        exchange: Id of the exchange that is judged.
        kind: ``rating`` (value -1 or 1), ``correction`` (the right answer) or ``comment``.
        value: The rating, or the text.
        who: Who judged, as the client named them.
        time: Seconds since the epoch.
    """

    id: str
    exchange: str
    kind: Literal["rating", "correction", "comment"]
    value: Any
    who: str
    time: float
