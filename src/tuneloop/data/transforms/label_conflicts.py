"""Label conflicts: the same text with different labels is listed, and set aside or settled."""

from __future__ import annotations

import tempfile
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Any, Literal, TypeAlias, final

from pydantic import PrivateAttr

from tuneloop.data.spill import Spill
from tuneloop.data.transforms import Transform
from tuneloop.rows import Drop, Labeled, Record

SHOWN = 100
"""Groups that the report spells out; all are counted."""

Label: TypeAlias = str | int | float | bool


@final
class LabelConflicts(Transform):
    """Compares texts without regard to case, blanks and Unicode spelling; rows without a label pass by."""

    keep: Literal["none", "majority", "first"] = "none"
    """Which rows of a conflict stay: ``none``, those with the label that most have (none in a tie), or those with the
    label of the first."""

    _groups: list[dict[str, Any]] = PrivateAttr(default_factory=list)

    def run(self, records: Iterable[Record]) -> Iterator[Record | Drop]:
        """Put all rows down, gather the labels of each text, and give the rows out again without the conflicts."""
        self._groups = []
        with Spill(self.place.spill or Path(tempfile.gettempdir())) as spill:
            first: dict[bytes, Label] = {}
            split: dict[bytes, list[int]] = {}
            for record in records:
                spill.add(record)
                if isinstance(record.content, Labeled):
                    key, label = _key(record.content.text), record.content.label
                    earliest = first.setdefault(key, label)
                    if earliest != label:
                        split.setdefault(key, [])
            yield from self._settled(spill, split)

    def found(self) -> dict[str, Any]:
        """Every text with several labels: its text, its rows with their labels, and the label that stayed."""
        return {"conflicts": len(self._groups), "groups": self._groups[:SHOWN]}

    def _settled(self, spill: Spill, split: dict[bytes, list[int]]) -> Iterator[Record | Drop]:
        if not split:
            yield from spill
            return
        for index, record in enumerate(spill):
            if isinstance(record.content, Labeled) and (key := _key(record.content.text)) in split:
                split[key].append(index)
        stays = {key: self._settle([spill[index] for index in rows]) for key, rows in split.items()}
        for record in spill:
            content = record.content
            key = _key(content.text) if isinstance(content, Labeled) else b""
            if key not in stays or (isinstance(content, Labeled) and content.label in stays[key]):
                yield record
            else:
                yield Drop("the same text has another label elsewhere", self.name, record.origin, id=record.id)

    def _settle(self, rows: list[Record]) -> list[Label]:
        """The label that stays, or none; the group is remembered for the report."""
        labels = [record.content.label for record in rows if isinstance(record.content, Labeled)]
        (best, count), *others = Counter(labels).most_common()
        stays: list[Label] = []
        if self.keep == "first":
            stays = [labels[0]]
        elif self.keep == "majority" and count > others[0][1]:
            stays = [best]
        text = rows[0].content.text if isinstance(rows[0].content, Labeled) else ""
        told = [{"origin": record.origin, "label": label} for record, label in zip(rows, labels, strict=True)]
        self._groups.append({"text": text, "rows": told, "kept": stays[0] if stays else None})
        return stays


def _key(text: str) -> bytes:
    """The digest of a text without regard to case, blanks and Unicode spelling (16 bytes)."""
    plain = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    return blake2b(plain.encode("utf-8", "surrogatepass"), digest_size=16).digest()
