"""Transforms: records in, records or drops out, one at a time. A new one is one file with one method."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import PrivateAttr

from tuneloop.parts import Part
from tuneloop.rows import Drop, Record

if TYPE_CHECKING:
    from tuneloop.data.parallel import Crew
    from tuneloop.store import Store


@dataclass(frozen=True)
class Place:
    """Where a transform works.

    Attributes:
        folder: The recipe's folder, from which relative paths start.
        spill: An existing folder for what does not fit into memory; it vanishes with the work.
        seed: The recipe's seed.
        store: The store that the rows go to, for what was worked out before and for models.
        crew: Processes that share the work of a step that is not rowwise; None leaves it to this one.
    """

    folder: Path = field(default_factory=Path)
    spill: Path | None = None
    seed: int = 0
    store: Store | None = None
    crew: Crew | None = None


class Transform(Part, ABC):
    """Changes records or sets them aside; every record that comes in goes out as one or the other."""

    rowwise: ClassVar[bool] = False
    """Whether what becomes of a row follows from that row alone, so that several processes may share the rows."""

    _place: Place = PrivateAttr(default_factory=Place)
    _tally: Counter[str] = PrivateAttr(default_factory=Counter)

    @abstractmethod
    def run(self, records: Iterable[Record]) -> Iterator[Record | Drop]:
        """Work through the records in order.

        Args:
            records: The records, streamed.

        Yields:
            For each record either a record (the same, or changed) or a :class:`Drop` with the reason.
        """

    @property
    def place(self) -> Place:
        """Where it works; set by :meth:`at`."""
        return self._place

    @property
    def tally(self) -> Counter[str]:
        """What it met, counted by a name of its choice (``email``: 12); kept in the report, summed over processes."""
        return self._tally

    def at(self, place: Place) -> Self:
        """The same transform, ready for one run over the rows at a place, with nothing counted yet."""
        ready = self.model_copy()
        ready._place, ready._tally = place, Counter()
        return ready

    def reads(self) -> tuple[str, ...]:
        """Paths of the files, relative to the recipe, that decide with its options what becomes of the rows.

        Their content is part of a dataset's key: another content, another dataset version.
        """
        return ()

    def named(self) -> dict[str, tuple[str, ...]]:
        """The columns of tables that its options name, by option: some row of a table must have each."""
        return {}

    def packages(self) -> tuple[str, ...]:
        """The optional packages that it needs with its options, by the name under which they are installed."""
        return ()

    def stamp(self) -> str:
        """A digest of what else decides what becomes of the rows, a secret key say; empty for nothing.

        It is part of a dataset's key too, and must give nothing away.
        """
        return ""

    def found(self) -> dict[str, Any]:
        """What a person should see of the run in report and card, beyond the counts; plain values."""
        return {}

    def hide(self, text: str) -> str:
        """The text without what this transform takes out of rows for good, personal data say.

        Whatever is shown or written of a row besides the row itself (samples, excerpts of rows set aside, messages)
        goes through this of every transform of the recipe.
        """
        return text
