"""Near duplicates: rows that say the same but for a few words; one of them is kept."""

from __future__ import annotations

import tempfile
from array import array
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, final

from pydantic import Field, PrivateAttr

from tuneloop.data.spill import Spill
from tuneloop.data.transforms._keeping import Keeping
from tuneloop.rows import Drop, Fields, Record

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@final
class NearDuplicates(Keeping):
    """Compares rows word by word (by characters where a script has no spaces) and keeps one of those near each other.

    Found by MinHash and locality-sensitive hashing, and then every pair compared exactly. Rows whose numbers, names,
    subjects or negations differ are other rows, however alike. Rows of tables are left alone.
    """

    similarity: float = Field(0.8, gt=0, le=1)
    """Share of words and word pairs that two rows have in common; of their questions and answers each half of it."""
    of: Literal["row", "question", "answer"] = "row"
    """What is compared: question and answer together, or one of them alone."""
    protect: tuple[Literal["numbers", "names", "subjects", "negations"], ...] = (
        "numbers",
        "names",
        "subjects",
        "negations",
    )
    """What makes rows different: another number or operator, another name (capitalised), another word in the question
    that its answer takes up, a *not* more or less in a short question."""

    _found: dict[str, Any] = PrivateAttr(default_factory=dict)

    def run(self, records: Iterable[Record]) -> Iterator[Record | Drop]:
        """Put all rows down on disk, find what is near, and pass on the rows that are kept.

        Raises:
            DataError: The newest rows are to be kept, and no row has a time in the column.
        """
        from tuneloop.data.near.clusters import Clusters
        from tuneloop.data.near.keeping import Kept, by_worth, settled, without_time, worth
        from tuneloop.data.near.pairs import leaders
        from tuneloop.data.near.rows import compared
        from tuneloop.data.near.search import Search

        folder = self.place.spill or Path(tempfile.gettempdir())
        wanted, values, places = worth(self.keep, self.column), array("d"), array("q")
        with Spill(folder) as spill:

            def texts() -> Iterator[str]:
                for record in records:
                    if not isinstance(record.content, Fields):
                        places.append(len(spill))
                        values.append(wanted(record))
                        yield compared(record.content, self.of)
                    spill.add(record)

            def order() -> NDArray[np.int64]:
                if self.keep == "newest":
                    self.tally["without a time"] += without_time(values, self.column, self.name)
                return by_worth(values)

            search = Search(self.similarity, self.protect, folder, self.place.seed, crew=self.place.crew)
            found = list(leaders(texts(), search, order=order))
            kept, clusters = Kept.all(len(spill)), Clusters()
            for near in found:
                kept.instead[places[near.later]] = places[near.earlier]
                kept.similarity[places[near.later]] = near.similarity
            yield from settled(spill, kept, clusters, "nearly the same as another row", self.name)
        self._found = clusters.report() | search.counts

    def found(self) -> dict[str, Any]:
        """The clusters: how many, their sizes, the largest with examples; and how much was compared for them."""
        return self._found
