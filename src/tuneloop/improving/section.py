"""The ``improve`` section: how far the closed loop may go, and what it may change."""

from __future__ import annotations

from pydantic import Field

from tuneloop.improving.moves import Move
from tuneloop.parts import OneOf, Section, find

ORDER = ("advice", "rate", "length", "regularize", "capacity", "augment", "sources")
"""Who is asked first: what is wrong comes before what may be better, settings before rows."""


class ImproveSection(Section):
    """The closed loop: train, look, change one thing, train again."""

    runs: int = Field(6, ge=1)
    """Most trainings, the first one and a trial with half of the rows included."""
    minutes: float | None = Field(None, gt=0)
    """No training is begun after so many minutes; null sets no limit."""
    target: float | None = Field(None, gt=0)
    """Held-out loss at which it is good enough, in nats per token; null goes on until nothing more is gained."""
    patience: int = Field(3, ge=1)
    """Trainings in a row that may bring nothing."""
    moves: list[OneOf[Move]] = Field(default_factory=lambda: [find(Move, name)() for name in ORDER])
    """What may be tried, in this order: the first that has something new to propose is followed."""
    sources: list[str] = Field([])
    """More files, folders or globs of rows that may be added to ``data.sources``, if they help."""
