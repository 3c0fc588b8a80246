"""Decontaminate: rows that repeat a benchmark are set aside, so that the benchmark still measures something."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from pydantic import Field, PrivateAttr

from tuneloop.data.spill import Spill
from tuneloop.data.transforms import Transform
from tuneloop.rows import Drop, Record

if TYPE_CHECKING:
    from tuneloop.data.near.benchmarks import Item

SHOWN = 20
"""Matching pairs that the report lists; every one is in ``dropped.jsonl``."""
SHORT = 5
"""Texts of a benchmark with fewer words (characters) than this are no question that a row could be near to."""


@final
class Decontaminate(Transform):
    """Compares every row with every row of benchmark files, whatever their columns: by runs of words, and as a whole.

    A row is set aside if one of its texts has a run of words of the benchmark, or if its question, or question and
    answer together, are near to one of the benchmark's texts but for words (another number makes another question).
    """

    against: tuple[str, ...] = Field(min_length=1)
    """Benchmark files, folders or globs, relative to the recipe; everything that the readers take."""
    words: int = Field(13, ge=8)
    """Words of a run that must not be repeated (20 characters of Chinese count as 13 words); a shorter text of the
    benchmark counts whole if it has 8."""
    similarity: float = Field(0.8, gt=0, le=1)
    """Share of words and word pairs that a row and a text of the benchmark must have in common to be near."""

    _found: dict[str, Any] = PrivateAttr(default_factory=dict)

    def run(self, records: Iterable[Record]) -> Iterator[Record | Drop]:
        """Put all rows down on disk, find what repeats the benchmark, and pass on the rest.

        Raises:
            DataError: A benchmark is not there, or cannot be read.
        """
        from tuneloop.data.near.benchmarks import benchmark_files, items

        known = list(items(benchmark_files(self.against, self.place.folder), self.tally))
        with Spill(self.place.spill or Path(tempfile.gettempdir())) as spill:
            spill.extend(records)
            matches = self._near(spill, known) | self._runs(spill, known)
            self._found = {"rows": len(matches), "matches": []}
            for index, record in enumerate(spill):
                match = matches.get(index)
                if match is None:
                    yield record
                    continue
                reason, detail = match
                if len(self._found["matches"]) < SHOWN:
                    self._found["matches"].append({"origin": record.origin, "match": detail})
                yield Drop(reason, self.name, record.origin, detail, record.id)

    def reads(self) -> tuple[str, ...]:
        """The benchmark files; folders and globs are looked into from where it works (:meth:`at`).

        Raises:
            DataError: One of them is not there.
        """
        from tuneloop.data.near.benchmarks import benchmark_files

        found = benchmark_files(self.against, self.place.folder)
        return tuple(Path(os.path.relpath(file.path, self.place.folder)).as_posix() for file in found)

    def found(self) -> dict[str, Any]:
        """How many rows repeat a benchmark, and the first pairs."""
        return self._found

    def _runs(self, spill: Spill, known: list[Item]) -> dict[int, tuple[str, str]]:
        """For each row that repeats a run of words the reason and the pair."""
        from tuneloop.data.near.overlap import Repeats
        from tuneloop.data.near.rows import compared

        repeats = Repeats((item.text for item in known), self.words)
        self.tally["runs of words common to many benchmark rows"] += repeats.common
        return {
            hit.later: ("repeats words of a benchmark", f"{known[hit.earlier].origin} has “{hit.words}”")
            for hit in repeats.find(compared(record.content) for record in spill)
        }

    def _near(self, spill: Spill, known: list[Item]) -> dict[int, tuple[str, str]]:
        """For each row that is near as a whole the reason and the pair."""
        from tuneloop.data.near.benchmarks import without_labels
        from tuneloop.data.near.others import near_to
        from tuneloop.data.near.rows import sides
        from tuneloop.data.near.search import NUMBERS, Search
        from tuneloop.data.near.tokens import tokens

        items = [item for item in known if len(tokens([item.text]).flat) >= SHORT]

        def asked() -> Iterator[str]:
            for record in spill:
                question, answer = sides(record.content)
                question = without_labels(question)
                yield question
                yield f"{question}\n{answer}"

        search = Search(self.similarity, NUMBERS, self.place.spill, self.place.seed)
        return {
            near.later // 2: (
                "nearly the same as a row of a benchmark",
                f"near {items[near.earlier].origin}, similarity {near.similarity:.2f}",
            )
            for near in near_to(asked(), (without_labels(item.text) for item in items), search)
        }
