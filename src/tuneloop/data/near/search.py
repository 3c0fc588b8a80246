"""What is looked for when near texts are searched, and what is found."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from tuneloop.data.near.bands import Shape, shape
from tuneloop.data.near.shelf import Protected

if TYPE_CHECKING:
    from tuneloop.data.parallel import Crew

C = TypeVar("C")
R = TypeVar("R")

SIMILARITY = 0.8
"""The similarity wanted by default."""
PROTECT: tuple[Protected, ...] = ("numbers", "names", "subjects", "negations")
"""What must not differ by default."""
NUMBERS: tuple[Protected, ...] = ("numbers",)
"""What makes another question, where a question in other words would be the same."""
BATCH = 1024
"""Texts taken apart at a time."""


class Near(NamedTuple):
    """Two texts that are near each other.

    Attributes:
        earlier: Number of the one that comes first in order, counted from 0.
        later: Number of the other.
        similarity: The share of shingles that both have.
    """

    earlier: int
    later: int
    similarity: float


@dataclass(frozen=True)
class Search:
    """What is looked for, and where there is room for it.

    Attributes:
        similarity: How alike two texts are wanted: the share of shingles that both have, above 0 and at most 1.
        protect: What must not differ.
        spill: A folder with room for the tokens; None takes the system's.
        seed: Decides the hash functions.
        counts: What happened: ``compared`` pairs, and ``crowded``, how many texts came to a group that was full, so
            that they were compared with some of it only.
        crew: Processes that share the work; None leaves all of it to this one.
    """

    similarity: float = SIMILARITY
    protect: Collection[Protected] = PROTECT
    spill: Path | None = None
    seed: int = 0
    counts: dict[str, int] = field(default_factory=lambda: {"compared": 0, "crowded": 0})
    crew: Crew | None = None

    @property
    def jaccard(self) -> float:
        """The same similarity as the share of all shingles of both that both have, ``|A ∩ B| / |A ∪ B|``."""
        return self.similarity / (2 - self.similarity)

    @property
    def shape(self) -> Shape:
        """How the keys are made."""
        return shape(self.jaccard)

    def shared(self, work: Callable[[C], R], chunks: Iterable[C]) -> Iterator[R]:
        """Do some work on every chunk, in order; the crew shares it."""
        return self.crew.map(work, chunks) if self.crew else map(work, chunks)
