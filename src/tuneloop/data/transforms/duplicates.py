"""Duplicates: of rows with the same content one is kept."""

from __future__ import annotations

import hashlib
import tempfile
import unicodedata
from array import array
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, final

import msgspec
from pydantic import PrivateAttr

from tuneloop.data.contents import changed
from tuneloop.data.spill import Spill
from tuneloop.data.transforms._keeping import Keeping
from tuneloop.rows import Content, Drop, Record

_canonical = msgspec.json.Encoder(order="deterministic")


@final
class Duplicates(Keeping):
    """Compares whole contents, questions and answers, without regard to blanks and to Unicode spelling."""

    _found: dict[str, Any] = PrivateAttr(default_factory=dict)

    def run(self, records: Iterable[Record]) -> Iterator[Record | Drop]:
        """Pass on one of each content; 16 bytes and the origin of each are held in memory.

        Raises:
            DataError: The newest rows are to be kept, and no row has a time in the column.
        """
        return self._first(records) if self.keep == "first" else self._best(records)

    def found(self) -> dict[str, Any]:
        """The clusters: how many, their sizes, the largest with examples."""
        return self._found

    def _first(self, records: Iterable[Record]) -> Iterator[Record | Drop]:
        from tuneloop.data.near.clusters import Clusters
        from tuneloop.data.near.keeping import said

        clusters, seen = Clusters(), dict[bytes, str]()
        for record in records:
            first = seen.setdefault(fingerprint(record.content), record.origin)
            if first == record.origin:
                yield record
            else:
                clusters.add(first, record.origin, said(record.content))
                yield Drop("the same content as an earlier row", self.name, record.origin, f"as {first}", record.id)
        self._found = clusters.report()

    def _best(self, records: Iterable[Record]) -> Iterator[Record | Drop]:
        from tuneloop.data.near.clusters import Clusters
        from tuneloop.data.near.keeping import Kept, by_worth, settled, without_time, worth

        wanted, values, first = worth(self.keep, self.column), array("d"), array("q")
        with Spill(self.place.spill or Path(tempfile.gettempdir())) as spill:
            seen: dict[bytes, int] = {}
            for record in records:
                first.append(seen.setdefault(fingerprint(record.content), len(spill)))
                values.append(wanted(record))
                spill.add(record)
            if self.keep == "newest":
                self.tally["without a time"] += without_time(values, self.column, self.name)
            kept, clusters, best = Kept.all(len(spill)), Clusters(), dict[int, int]()
            for index in by_worth(values).tolist():
                chosen = best.setdefault(first[index], index)
                if chosen != index:
                    kept.instead[index], kept.similarity[index] = chosen, 1
            yield from settled(spill, kept, clusters, "the same content as another row", self.name)
        self._found = clusters.report()


def fingerprint(content: Content) -> bytes:
    r"""Digest a content so that rows which differ only in blanks or Unicode spelling get the same (16 bytes).

    Example:
        >>> from tuneloop.rows import Text
        >>> fingerprint(Text("to  be\n")) == fingerprint(Text("to be"))
        True
    """
    plain = changed(content, _plain)
    return hashlib.blake2b(_canonical.encode(plain), digest_size=16).digest()


def _plain(text: str) -> str:
    return " ".join((text if text.isascii() else unicodedata.normalize("NFKC", text)).split())
