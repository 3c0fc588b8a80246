"""The ``feedback`` section: how what people said becomes the next dataset and the next model."""

from __future__ import annotations

from pydantic import Field

from tuneloop.parts import Section


class FeedbackSection(Section):
    """How feedback is turned into training."""

    min_corrections: int = Field(1, ge=1)
    """Corrections there must be before a new dataset version is made."""
    replay: float = Field(0.5, ge=0, le=1)
    """Share of the old training rows that is learned again beside the new ones, so that nothing is forgotten."""
