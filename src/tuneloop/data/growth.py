"""Growth: what changes the training rows after the split, and the account of it.

Each of them gives every row back, as it is or set aside, in order, and right behind it the rows made of it. So the
sum adds up: rows placed + made = kept + set aside.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from tuneloop.rows import Content, Drop, Record
from tuneloop.rows.record import digest

SAMPLES = 3
PARENT, BY = "parent", "made_by"
"""Where ``meta`` says of which row a row was made, and by what."""


class Growth(Protocol):
    """Changes the training rows: what balances them, and whatever makes rows of rows."""

    @property
    def name(self) -> str:
        """What the ledger calls it."""

    def run(self, records: Iterable[Record], seed: int) -> Iterator[Record | Drop]:
        """Give every row back, and behind it what was made of it (:func:`made`).

        Args:
            records: The training rows in order; they may be gone through more than once.
            seed: The recipe's seed.
        """


@runtime_checkable
class Telling(Protocol):
    """A growth with more to tell than counts."""

    def found(self) -> dict[str, Any]:
        """What a person should see of the run; plain values, without what is to be hidden."""


def made(parent: Record, content: Content, number: int, by: str) -> Record:
    """A row made of another: its origin is the parent's with its maker and number, ``meta`` says of what and by what.

    Args:
        parent: The row it was made of, itself made or not.
        content: What it holds.
        number: Its number among those made of its parent, from 1.
        by: What made it.

    Example:
        >>> from tuneloop.rows import Text
        >>> row = made(Record.of(Text("hi"), origin="a:1"), Text("hello"), 1, "synonyms")
        >>> row.origin, row.meta
        ('a:1+synonyms1', {'parent': 'a:1', 'made_by': 'synonyms'})
    """
    meta = {**parent.meta, PARENT: parent.origin, BY: by}
    return Record(digest(content), content, f"{parent.origin}+{by}{number}", meta)


@dataclass
class Grown:
    """One growth at work on the training rows, and its account.

    Attributes:
        growth: What changes them.
        taken: Rows that went in.
        made: Rows made of them.
        altered: Those that say something else than their parent.
        dropped: Rows set aside, by reason.
        samples: The first rows made: origin, parent.
    """

    growth: Growth
    taken: int = 0
    made: int = 0
    altered: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    samples: list[dict[str, str]] = field(default_factory=list)

    def run(self, records: Iterable[Record], seed: int) -> Iterator[Record | Drop]:
        """Let it change the rows, and check that it loses none and names the parent of all it makes.

        Raises:
            RuntimeError: It did not keep to what :class:`Growth` asks: a fault of its code.
        """
        given = iter(records)
        parent, same, number = "", "", 0
        before = next(given, None)
        for item in self.growth.run(records, seed):
            if before is not None and item.origin == before.origin:
                parent, same, number = before.origin, before.id, 0
                self.taken += 1
                if isinstance(item, Drop):
                    self.dropped[item.reason] += 1
                else:
                    self.altered += item.id != same
                before = next(given, None)
            elif isinstance(item, Record) and item.origin == f"{parent}+{self.growth.name}{number + 1}":
                number += 1
                self.made += 1
                self.altered += item.id != same
                if len(self.samples) < SAMPLES:
                    self.samples.append({"origin": item.origin, "parent": parent})
            else:
                raise RuntimeError(f"{self.growth.name} gave {item.origin} where another row was to come")
            yield item
        if before is not None:
            raise RuntimeError(f"{self.growth.name} lost {before.origin} and what came behind it")

    def report(self) -> dict[str, Any]:
        """The account as plain values."""
        return {
            "step": self.growth.name,
            "in": self.taken,
            "made": self.made,
            "dropped": dict(sorted(self.dropped.items())),
            "altered": self.altered,
            "samples": self.samples,
            **(self.growth.found() if isinstance(self.growth, Telling) else {}),
        }
