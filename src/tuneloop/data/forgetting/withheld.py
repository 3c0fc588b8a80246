"""Withheld: rows that were forgotten on request do not come back with the next preparation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import final

from pydantic import PrivateAttr

from tuneloop.data.transforms import Transform
from tuneloop.rows import Drop, Record
from tuneloop.rows.record import source_of
from tuneloop.store import Store
from tuneloop.store.forgotten import REASON, Searches


@final
class Withheld(Transform):
    """Sets aside rows that were forgotten; it stands before and after a recipe's own steps where there are any."""

    rowwise = True

    _searches: Searches = PrivateAttr(default_factory=lambda: Searches(()))
    _files: Mapping[str, str] = PrivateAttr(default_factory=dict)

    def run(self, records: Iterable[Record]) -> Iterator[Record | Drop]:
        """Pass on what nobody asked to forget; of the others nothing is shown."""
        for record in records:
            if self._searches.record(record, self._files.get(source_of(record.origin), "")):
                yield Drop(REASON, self.name, record.origin, "not shown")
            else:
                yield record

    def hide(self, text: str) -> str:
        """Nothing of a text that names somebody who was forgotten."""
        return REASON if self._searches.text(text) else text


def withheld(store: Store, files: Mapping[str, str]) -> list[Withheld]:
    """The step that keeps forgotten rows away, or none where nothing was ever forgotten.

    Args:
        store: The store, with its log of acts.
        files: SHA-256 of each source file, by the name that origins call it.
    """
    searches = store.forgotten.searches()
    if not searches:
        return []
    step = Withheld()
    step._searches, step._files = searches, files
    return [step]
