"""Which row is kept of several: what the steps against repeated rows share."""

from __future__ import annotations

from abc import ABC
from typing import Literal, Self

from pydantic import model_validator

from tuneloop.data.transforms import Transform


class Keeping(Transform, ABC):
    """A step that keeps one row of several."""

    keep: Literal["first", "longest", "newest"] = "first"
    """Which row is kept of several; ``longest`` counts blanks, ``newest`` needs ``column``."""
    column: str = ""
    """Column that holds the time of a row (ISO 8601, or a number), for ``keep: newest``."""

    @model_validator(mode="after")
    def _newest_by_what(self) -> Self:
        if (self.keep == "newest") != bool(self.column):
            raise ValueError("keep: newest and column: (where the time of a row stands) go together")
        return self
