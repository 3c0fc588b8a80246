"""Duplicates: of rows with the same content the first is kept."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable, Iterator
from typing import final

import msgspec

from tuneloop.data.contents import changed
from tuneloop.data.transforms import Transform
from tuneloop.rows import Content, Drop, Record

_canonical = msgspec.json.Encoder(order="deterministic")


@final
class Duplicates(Transform):
    """Compares whole contents, questions and answers, without regard to blanks and to Unicode spelling."""

    def run(self, records: Iterable[Record]) -> Iterator[Record | Drop]:
        """Pass on the first of each content; 16 bytes and the origin of each are held in memory."""
        seen: dict[bytes, str] = {}
        for record in records:
            key = fingerprint(record.content)
            first = seen.setdefault(key, record.origin)
            if first == record.origin:
                yield record
            else:
                yield Drop("the same content as an earlier row", self.name, record.origin, f"as {first}", record.id)


def fingerprint(content: Content) -> bytes:
    r"""Digest a content so that rows which differ only in blanks or Unicode spelling get the same (16 bytes).

    Example:
        >>> from tuneloop.rows import Text
        >>> fingerprint(Text("to  be\n")) == fingerprint(Text("to be"))
        True
    """
    plain = changed(content, lambda text: " ".join(unicodedata.normalize("NFKC", text).split()))
    return hashlib.blake2b(_canonical.encode(plain), digest_size=16).digest()
