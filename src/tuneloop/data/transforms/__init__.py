"""Transforms: records in, records or drops out, one at a time. A new one is one file with one method."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator

from tuneloop.parts import Part
from tuneloop.rows import Drop, Record


class Transform(Part, ABC):
    """Changes records or sets them aside; every record that comes in goes out as one or the other."""

    @abstractmethod
    def run(self, records: Iterable[Record]) -> Iterator[Record | Drop]:
        """Work through the records in order.

        Args:
            records: The records, streamed.

        Yields:
            For each record either a record (the same, or changed) or a :class:`Drop` with the reason.
        """
