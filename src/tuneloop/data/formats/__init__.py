"""Formats: from a raw row to content. A new one is one file with one method and a way to recognise it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from tuneloop.parts import Part
from tuneloop.rows import Content


class Format(Part, ABC):
    """Knows one shape of row. Fields that are null are taken out of a row before a format sees it."""

    shape: ClassVar[str]
    """The shape in one line, for messages: ``{"instruction", "input"?, "output"}``."""
    fields: ClassVar[tuple[str, ...]]
    """The fields this format reads; all others are kept beside the record."""
    last_resort: ClassVar[bool] = False
    """Whether it takes a file only where no other format fits, and never a row from another format."""

    def reads(self, column: str) -> bool:
        """Whether a column becomes part of the content."""
        return column in self.fields

    def named(self) -> dict[str, tuple[str, ...]]:
        """The columns that its options name, by option: some row among the first must have each."""
        return {}

    @abstractmethod
    def fits(self, row: Mapping[str, Any]) -> float:
        """How surely the row has this shape: 0 (not at all) to 1 (no doubt); the surest format wins."""

    @abstractmethod
    def content(self, row: Mapping[str, Any]) -> Content:
        """Read one row.

        Raises:
            RecordError: The row lacks something or has a wrong type; it is set aside with that reason.
        """
