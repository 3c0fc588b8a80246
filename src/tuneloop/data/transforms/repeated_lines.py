"""Repeated lines: a line that stands in many rows (menus, disclaimers, signatures) is cut out of all of them."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Any, final

from pydantic import Field, PrivateAttr

from tuneloop.data.sides import pairs, with_answers
from tuneloop.data.spill import Spill
from tuneloop.data.transforms import Transform
from tuneloop.rows import Content, Drop, Record, Text

CANDIDATES = 100_000
"""Lines that are counted at once; whatever stands in more than one of half as many line places is among them."""
SHOWN = 10
"""Repeated lines that the report names."""


@final
class RepeatedLines(Transform):
    """Counts the lines of answers and running texts over all rows, each line once a row, and cuts the frequent ones.

    Memory is bounded: candidates are found in one pass (Misra and Gries 1982) and counted exactly in a second one, by
    digests of 8 bytes. Answers of one line are no boilerplate, however many rows give them.
    """

    above: float = Field(0.05, gt=0, le=1)
    """Share of rows that a line must stand in to be cut."""
    at_least: int = Field(20, ge=2)
    """Rows that a line must stand in besides; below that a share says little."""
    min_chars: int = Field(12, ge=1)
    """Shortest line that is looked at; short ones such as ``Answer:`` or ``}`` repeat for good reasons."""

    _lines: list[tuple[str, int]] = PrivateAttr(default_factory=list)

    def run(self, records: Iterable[Record]) -> Iterator[Record | Drop]:
        """Put all rows down, count their lines, and give the rows out again without the frequent ones."""
        self._lines = []
        with Spill(self.place.spill or Path(tempfile.gettempdir())) as spill:
            candidates = self._candidates(spill, records)
            counts = Counter(digest for record in spill for digest in self._digests(record.content) & candidates)
            least = max(self.at_least, self.above * len(spill))
            frequent = {digest: count for digest, count in counts.items() if count >= least}
            for record in spill:
                yield self._without(record, frequent)

    def found(self) -> dict[str, Any]:
        """The most frequent of the lines that were cut, and in how many rows each stood."""
        return {"lines": [{"line": line, "rows": rows} for line, rows in self._lines[:SHOWN]]}

    def _candidates(self, spill: Spill, records: Iterable[Record]) -> set[bytes]:
        """Put the rows down, and find the lines that may be frequent."""
        counts: Counter[bytes] = Counter()
        for record in records:
            spill.add(record)
            counts.update(self._digests(record.content))
            if len(counts) > CANDIDATES:
                cut = sorted(counts.values())[len(counts) // 2]
                counts = Counter({digest: count - cut for digest, count in counts.items() if count > cut})
        return set(counts)

    def _digests(self, content: Content) -> set[bytes]:
        return {_digest(line) for text in _told(content) for line in self._counted(text)}

    def _counted(self, text: str) -> list[str]:
        """The lines of a text that are counted, blanks around them aside."""
        lines = text.split("\n")
        return [] if len(lines) < 2 else [line.strip() for line in lines if len(line.strip()) >= self.min_chars]

    def _without(self, record: Record, frequent: dict[bytes, int]) -> Record | Drop:
        if not frequent or not self._digests(record.content) & frequent.keys():
            return record
        content = with_answers(record.content, lambda text: self._cut(text, frequent))
        if not all(text.strip() for text in _told(content)):
            return Drop("nothing but repeated lines", self.name, record.origin, id=record.id)
        return record.having(content)

    def _cut(self, text: str, frequent: dict[bytes, int]) -> str:
        if "\n" not in text:
            return text
        left = []
        for line in text.split("\n"):
            digest = _digest(line.strip())
            if digest in frequent:
                self._cut_line(line.strip(), frequent[digest])
            else:
                left.append(line)
        return "\n".join(left).strip("\n")

    def _cut_line(self, line: str, rows: int) -> None:
        self.tally["lines cut"] += 1
        if (line, rows) not in self._lines:
            self._lines.append((line, rows))
            self._lines.sort(key=lambda entry: (-entry[1], entry[0]))


def _told(content: Content) -> list[str]:
    """The texts that :func:`with_answers` changes."""
    return [content.text] if isinstance(content, Text) else [pair.answer for pair in pairs(content)]


def _digest(line: str) -> bytes:
    return blake2b(line.encode("utf-8", "surrogatepass"), digest_size=8).digest()
