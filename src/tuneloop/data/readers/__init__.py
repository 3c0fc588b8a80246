"""Readers: from a file to raw rows. A new one is one file with one method."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

from tuneloop.data.decoding import Block, blocks
from tuneloop.parts import Part
from tuneloop.store.digest import of_file

if TYPE_CHECKING:
    from tuneloop.data.fetching.desk import Desk, Taken


class Raw(NamedTuple):
    """One raw row.

    Attributes:
        line: Where it stands, counted from 1: the line it begins on, or its row number.
        row: Its fields; None if it cannot be read.
        problem: Why it cannot be read; the same words for all rows of a kind, without any value of the row.
        repair: How it was repaired to be read; empty for a sound row.
        place: What origins say of where it stands instead of the line.
        detail: What the problem looks like in this row: a column, a count.
    """

    line: int
    row: dict[str, Any] | None
    problem: str = ""
    repair: str = ""
    place: str = ""
    detail: str = ""


class Reader(Part, ABC):
    """Reads one kind of file."""

    endings: ClassVar[tuple[str, ...]] = ()
    """File endings that this reader takes (each also with ``.gz``)."""
    counts: ClassVar[Literal["lines", "rows"]] = "lines"
    """Whether :attr:`Raw.line` is a line of the file (``file:7``) or the number of a row (``file#7``)."""

    tabular: ClassVar[bool] = False
    """Whether its files are tables: rows that fit no other format are then taken as rows of a table."""

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

    def digest(self, path: Path) -> str:
        """SHA-256 of all that decides the rows of a file; what other files it reads must be part of it."""
        return of_file(path)


class Remote(Reader, ABC):
    """Reads what is no file: a snapshot is taken of it first, and read like one."""

    schemes: ClassVar[tuple[str, ...]]
    """How the paths begin that it takes: ``https`` for ``https://...``."""

    @abstractmethod
    def take(self, path: str, limit: int | None, desk: Desk) -> Taken:
        """Take a snapshot, or find one that was taken before.

        Args:
            path: The source's path.
            limit: Rows that are wanted at most.
            desk: Where the work is done.

        Raises:
            DataError: It cannot be fetched.
            StoreError: The store cannot be written.
        """


class LineReader(Reader, ABC):
    """Reads a kind of file of which every line is a row of its own, so that several processes may share the lines."""

    @abstractmethod
    def row(self, block: Block, number: int, raw: bytes) -> Raw | None:
        """Read one line.

        Args:
            block: The block of lines that it is of.
            number: Its number.
            raw: Its bytes, without the line's end.

        Returns:
            The row; None for a line that holds none.
        """

    def within(self, block: Block) -> Iterator[Raw]:
        """Give the rows of a block of lines."""
        for number, raw in block.lines():
            row = self.row(block, number, raw)
            if row is not None:
                yield row

    def rows(self, path: Path) -> Iterator[Raw]:
        """Give the rows of all lines."""
        for block in blocks(path):
            yield from self.within(block)
