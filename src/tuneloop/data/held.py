"""Rows held on disk until the whole table has been seen, for steps whose columns decide together."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from tuneloop.data.spill import Spill
from tuneloop.data.transforms import Place
from tuneloop.rows import Fields, Record


def held(records: Iterable[Record], place: Place, see: Callable[[Fields, str], None]) -> Spill:
    """Put all records down on disk, showing every row of a table to a function first.

    Args:
        records: The records, streamed.
        place: Where the step works.
        see: Takes a row's cells and its origin.

    Returns:
        The records in order; use it with ``with``.
    """
    spill = Spill(place.spill or Path(tempfile.gettempdir()))
    for record in records:
        if isinstance(record.content, Fields):
            see(record.content, record.origin)
        spill.add(record)
    return spill
