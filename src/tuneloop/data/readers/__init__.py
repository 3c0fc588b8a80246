"""Readers: from a file to raw rows. A new one is one file with one method."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple

from tuneloop.parts import Part


class Raw(NamedTuple):
    """One raw row.

    Attributes:
        line: Where it stands, counted from 1: the line it begins on, or its row number.
        row: Its fields; None if it cannot be read.
        problem: Why it cannot be read.
        repair: How it was repaired to be read; empty for a sound row.
    """

    line: int
    row: dict[str, Any] | None
    problem: str = ""
    repair: str = ""


class Reader(Part, ABC):
    """Reads one kind of file."""

    endings: ClassVar[tuple[str, ...]] = ()
    """File endings that this reader takes (each also with ``.gz``)."""
    counts: ClassVar[Literal["lines", "rows"]] = "lines"
    """Whether :attr:`Raw.line` is a line of the file (``file:7``) or the number of a row (``file#7``)."""

    @abstractmethod
    def rows(self, path: Path) -> Iterator[Raw]:
        """Give every row of a file; a row that cannot be read is given with its problem, never skipped.

        Args:
            path: The file.

        Yields:
            One :class:`Raw` per row, in order.

        Raises:
            DataError: The file as a whole cannot be read.
        """
