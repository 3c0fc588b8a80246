"""Which format a file has: its first rows are shown to every format, and the surest one wins.

The verdict is for the whole file. A single row of which the winner is unsure (below 0.5) goes to another format,
but only if that one is certain (0.9 or more), or if the row has no field that the winner reads; so a file of mixed
rows is read, and every exception is counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tuneloop.data.formats import Format
from tuneloop.errors import DataError
from tuneloop.parts import find, names

LOOK = 100
"""Rows that are looked at."""
UNSURE = 0.5
"""A format less sure of a row than this lets another have it."""
CERTAIN = 0.9
"""How sure a format must be to take a row away from the file's own."""


@dataclass(frozen=True)
class Verdict:
    """What a file's rows look like.

    Attributes:
        format: The format.
        declared: Whether the recipe names it.
        looked: How many rows were looked at.
        fit: How many of them fit.
        votes: Mean certainty of every format that fits any of them.
    """

    format: Format
    declared: bool
    looked: int
    fit: int
    votes: dict[str, float]

    def __str__(self) -> str:
        how = (
            "as the recipe says"
            if self.declared
            else f"{self.fit} of {self.looked} row{'s' * (self.looked != 1)} looked at fit"
        )
        return f"{self.format.name} ({how})"

    def of(self, row: Mapping[str, Any]) -> Format:
        """The format to read one row with: the file's own, or another where that one is unsure and this one certain."""
        if self.declared or self.format.fits(row) >= UNSURE:
            return self.format
        best = max(_formats(), key=lambda format: (not format.last_resort, format.fits(row)))
        stranger = not any(map(self.format.reads, row))
        return best if best.fits(row) >= (0.01 if stranger else CERTAIN) else self.format


def recognise(
    rows: Sequence[Mapping[str, Any]], declared: Format | None, where: str, *, table: bool = False
) -> Verdict:
    """Find the format of a file from its first rows.

    Args:
        rows: The rows, columns renamed.
        declared: The format that the recipe names, if it does.
        where: The file, for messages.
        table: Whether the file is a table, which a format of last resort may take.

    Raises:
        DataError: No format fits any of the rows.
    """
    scores = {format.name: [format.fits(row) for row in rows] for format in _formats()}
    votes = {name: round(sum(found) / len(rows), 3) for name, found in scores.items() if any(found)}
    if declared is not None:
        fit = sum(declared.fits(row) > 0 for row in rows)
        return Verdict(declared, True, len(rows), fit, votes)
    able = {format.name: format for format in _formats() if format.name in votes and (table or not format.last_resort)}
    if not able:
        raise _unknown(rows, where)
    best = max(able, key=lambda name: (not able[name].last_resort, votes[name], name))
    winner = able[best]
    return Verdict(winner, False, len(rows), sum(score > 0 for score in scores[best]), votes)


def _formats() -> list[Format]:
    if not _known:
        _known.extend(find(Format, name)() for name in names(Format))
    return _known


_known: list[Format] = []


def _unknown(rows: Sequence[Mapping[str, Any]], where: str) -> DataError:
    keys = list(dict.fromkeys(key for row in rows for key in row))
    shown = ", ".join(repr(key[:40]) for key in keys[:12]) + (", ..." if len(keys) > 12 else "")
    shapes = "\n".join(f"           {format.name}: {format.shape}" for format in _formats())
    return DataError(
        f"no known format has rows like these; their keys are {shown or 'none'}",
        where=where,
        fix="say which column is which (columns: {instruction: COLUMN, output: COLUMN}; "
        "for tuneloop new: --columns instruction=COLUMN,output=COLUMN); if the first line of a table "
        f"is a row already, name its columns (reader: {{csv: {{names: [...]}}}}). The shapes known are\n{shapes}",
    )
