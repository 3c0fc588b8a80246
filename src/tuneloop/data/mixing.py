"""Mixing: a draw from each source before the transforms, and how often its training rows are taken after the split.

Every draw follows from the row's content and the seed alone. So a larger sample holds the smaller one, and rows that
are added later move no other in or out, but for those that a fixed number or share pushes out.
"""

from __future__ import annotations

import heapq
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import final

from pydantic import PrivateAttr

from tuneloop.data.growth import made
from tuneloop.data.section import Source
from tuneloop.data.split import place
from tuneloop.data.transforms import Transform
from tuneloop.errors import DataError
from tuneloop.rows import Drop, Record
from tuneloop.rows.record import source_of

NOT_DRAWN = "the sample does not take it"
TOO_MANY = "its source has more training rows than the mixture takes"


@final
class SampledShare(Transform):
    """Takes about a share of the rows of a source; each row's own digest decides."""

    rowwise = True
    _shares: Mapping[str, float] = PrivateAttr(default_factory=dict)

    @property
    def name(self) -> str:
        """What the ledger calls it."""
        return "sample"

    def run(self, records: Iterable[Record]) -> Iterator[Record | Drop]:
        """Pass rows on whose place is below their source's share."""
        for record in records:
            drawn = _place("sample", record, self.place.seed) < self._shares.get(source_of(record.origin), 1)
            yield record if drawn else _not_drawn(record)


@final
class SampledRows(Transform):
    """Takes so many rows of a source, those with the lowest digests; only they are held in memory."""

    _samples: Mapping[str, tuple[int, int]] = PrivateAttr(default_factory=dict)

    @property
    def name(self) -> str:
        """What the ledger calls it."""
        return "sample"

    def run(self, records: Iterable[Record]) -> Iterator[Record | Drop]:
        """Set aside whoever is pushed out, and give the others in order when their source ends."""
        current = -1
        heap: list[tuple[float, int, Record]] = []
        for index, record in enumerate(records):
            source, wanted = self._samples.get(source_of(record.origin), (-1, 0))
            if source != current:
                yield from _in_order(heap)
                current, heap = source, []
            if source < 0:
                yield record
                continue
            entry = (-_place("sample", record, self.place.seed), -index, record)
            if len(heap) < wanted:
                heapq.heappush(heap, entry)
            else:
                yield _not_drawn(heapq.heappushpop(heap, entry)[2])
        yield from _in_order(heap)


def samples(sources: Sequence[tuple[Source, Iterable[str]]]) -> list[Transform]:
    """The steps that draw from the sources; none where all rows are taken.

    Args:
        sources: Each source with the names of its files.
    """
    share, rows = SampledShare(), SampledRows()
    drawn = [(at, source.sample, names) for at, (source, names) in enumerate(sources) if source.sample is not None]
    share._shares = {name: one.share for _, one, names in drawn for name in names if one.share is not None}
    rows._samples = {name: (at, one.rows) for at, one, names in drawn for name in names if one.rows is not None}
    return [*([share] if share._shares else []), *([rows] if rows._samples else [])]


class Mixture:
    """Takes each training row as often as the weight or share of its source asks.

    Args:
        sources: Each source with the names of its files.
    """

    name = "mixture"

    def __init__(self, sources: Sequence[tuple[Source, Iterable[str]]]) -> None:
        self._sources = [source for source, _ in sources]
        self._of = {name: at for at, (_, names) in enumerate(sources) for name in names}

    def run(self, records: Iterable[Record], seed: int) -> Iterator[Record | Drop]:
        """Give every row back, set aside where it is not taken, with its copies behind it.

        Raises:
            DataError: A share cannot be met, since there are no training rows of it or besides it.
        """
        places = [array("d") for _ in self._sources]
        weighted = [0] * len(self._sources)
        for record in records:
            at = self._of[source_of(record.origin)]
            if self._sources[at].share is not None:
                places[at].append(_place("mixture", record, seed))
            else:
                weighted[at] += self._times(record, at, seed)
        chosen = self._shared(places, sum(weighted))
        for record in records:
            at = self._of[source_of(record.origin)]
            times = next(chosen[at]) if at in chosen else self._times(record, at, seed)
            if not times:
                yield Drop(TOO_MANY, self.name, record.origin, id=record.id)
                continue
            yield record
            for number in range(1, times):
                yield made(record, record.content, number, self.name)

    def _times(self, record: Record, at: int, seed: int) -> int:
        whole, rest = divmod(self._sources[at].weight, 1)
        return int(whole) + (rest > 0 and _place("mixture", record, seed) < rest)

    def _shared(self, places: Sequence[array[float]], others: int) -> dict[int, Iterator[int]]:
        """How often each row of the sources with a share is taken, in order."""
        shares = {at: source.share for at, source in enumerate(self._sources) if source.share is not None}
        for at in shares:
            if not places[at]:
                path = self._sources[at].path
                raise DataError(
                    "no training row is left of a source that has a share",
                    where=f"data.sources, {path}",
                    fix="see what set its rows aside, or take the share out",
                )
        if len(shares) == len(self._sources):  # the most that needs no row twice
            total = min(len(places[at]) / share for at, share in shares.items())
        else:
            total = others / (1 - sum(shares.values()))
        return {at: _even(places[at], round(share * total)) for at, share in shares.items()}


def mixture(sources: Sequence[tuple[Source, Iterable[str]]]) -> list[Mixture]:
    """What mixes the sources; nothing where every training row is taken once.

    Args:
        sources: Each source with the names of its files.
    """
    plain = all(source.weight == 1 and source.share is None for source, _ in sources)
    return [] if plain else [Mixture(sources)]


def _even(places: array[float], wanted: int) -> Iterator[int]:
    """How often each of some rows is taken, as even as can be; those with the lowest places once more."""
    whole, rest = divmod(wanted, len(places))
    more = set(heapq.nsmallest(rest, range(len(places)), key=lambda at: (places[at], at)))
    return (whole + (at in more) for at in range(len(places)))


def _place(what: str, record: Record, seed: int) -> float:
    return place([what, record.id], seed)


def _in_order(heap: list[tuple[float, int, Record]]) -> Iterator[Record]:
    return (record for _, _, record in sorted(heap, key=lambda entry: -entry[1]))


def _not_drawn(record: Record) -> Drop:
    return Drop(NOT_DRAWN, "sample", record.origin, "not shown: only the draw set it aside", record.id)
