"""The ledger: every row that came in is kept or set aside with its reason, and the sums are checked."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from tuneloop.data.columns import need
from tuneloop.data.contents import texts
from tuneloop.data.hiding import Hider
from tuneloop.data.recognise import Verdict
from tuneloop.data.transforms import Transform
from tuneloop.rows import Drop, Fields, Record

SAMPLES = 3
WHOLE = 10_000
"""Rows that a step may hold back before only a digest of each further one is remembered."""


@dataclass
class FileCounts:
    """What came out of one file."""

    name: str
    sha256: str
    read: int = 0
    taken: int = 0
    verdict: Verdict | None = None
    formats: Counter[str] = field(default_factory=Counter)
    repaired: Counter[str] = field(default_factory=Counter)
    samples: list[str] = field(default_factory=list)

    def add(self, other: FileCounts) -> None:
        """Add what came out of some more of its rows."""
        self.read += other.read
        self.taken += other.taken
        self.formats += other.formats
        self.repaired += other.repaired

    def report(self) -> dict[str, Any]:
        """The counts as plain values."""
        verdict = self.verdict
        return {
            "file": self.name,
            "sha256": self.sha256,
            "read": self.read,
            "taken": self.taken,
            "verdict": verdict.format.name if verdict else "",
            "declared": verdict.declared if verdict else False,
            "looked_at": verdict.looked if verdict else 0,
            "fit": verdict.fit if verdict else 0,
            "votes": verdict.votes if verdict else {},
            "formats": dict(sorted(self.formats.items())),
            "repaired": dict(sorted(self.repaired.items())),
            "samples": self.samples,
        }


class Account(msgspec.Struct):
    """What became of some rows in one step.

    Attributes:
        taken: Rows that went in.
        kept: Rows that came out.
        changed: Rows that came out changed.
        dropped: Rows set aside, by reason.
        tally: What the transform counted.
        samples: The first rows that it changed, each before and after.
        columns: Columns of tables that were met, until all that the transform's options name were.
    """

    taken: int = 0
    kept: int = 0
    changed: int = 0
    dropped: dict[str, int] = {}
    tally: dict[str, int] = {}
    samples: list[tuple[Record, Record]] = []
    columns: list[str] = []

    def add(self, other: Account) -> None:
        """Add what became of rows that came after these."""
        self.taken += other.taken
        self.kept += other.kept
        self.changed += other.changed
        self.dropped = dict(Counter(self.dropped) + Counter(other.dropped))
        self.tally = dict(Counter(self.tally) + Counter(other.tally))
        self.samples += other.samples[: SAMPLES - len(self.samples)]
        self.columns = list(dict.fromkeys([*self.columns, *other.columns]))


@dataclass
class Step:
    """One transform at work on rows, and its account.

    Attributes:
        transform: The transform, at its place.
        hider: What must not be seen of a row.
        account: What became of the rows.
    """

    transform: Transform
    hider: Hider = field(default_factory=Hider)
    account: Account = field(default_factory=Account)
    _open: dict[int, Record | int] = field(default_factory=dict)

    def check(self) -> None:
        """See to it that the columns which the options name were in some row of a table, if there were any.

        Raises:
            DataError: Some were in none.
        """
        if self.account.columns:
            need(self.transform.named(), self.account.columns, f"data.transforms: {self.transform.name}")

    def run(self, items: Iterable[Record | Drop]) -> Iterator[Record | Drop]:
        """Put the records among the items through the transform; what was set aside before passes by.

        Raises:
            DataError: Its options name columns that no row of a table has.
            RuntimeError: The transform lost, doubled or made up a row: a fault of its code.
        """
        passing: deque[Drop] = deque()
        wanted = {name for names in self.transform.named().values() for name in names}

        def records() -> Iterator[Record]:
            for item in items:
                if isinstance(item, Drop):
                    passing.append(item)
                else:
                    self._open[hash(item.origin)] = item if len(self._open) < WHOLE else _known(item)
                    self.account.taken += 1
                    if wanted and isinstance(item.content, Fields):
                        self.account.columns = list(dict.fromkeys([*self.account.columns, *item.content.values]))
                        wanted.difference_update(item.content.values)
                    yield item
            if not self.transform.rowwise:  # of rows that are shared, no process sees all
                self.check()

        for result in self.transform.run(records()):
            while passing:
                yield passing.popleft()
            yield self._close(result)
        yield from passing
        if self._open:
            some = [row.origin for row in self._open.values() if isinstance(row, Record)][:3]
            raise RuntimeError(f"the transform {self.transform.name} lost {len(self._open)} rows: {some}")
        self.account.tally = dict(self.transform.tally)

    def _close(self, result: Record | Drop) -> Record | Drop:
        account = self.account
        before = self._open.pop(hash(result.origin), None)
        if before is None:
            raise RuntimeError(f"the transform {self.transform.name} gave {result.origin} without having been given it")
        if isinstance(result, Drop):
            drop = self.hider.drop(result)
            account.dropped[drop.reason] = account.dropped.get(drop.reason, 0) + 1
            if drop.detail or isinstance(before, int):
                return drop
            return msgspec.structs.replace(drop, detail=self.hider.excerpt(before.content))
        account.kept += 1
        if isinstance(before, int):
            account.changed += before != _known(result)
        elif result is not before and (result.id != before.id or result.meta != before.meta):
            account.changed += 1
            if len(account.samples) < SAMPLES:
                account.samples.append((before, result))
        return result

    def report(self) -> dict[str, Any]:
        """The account as plain values."""
        account = self.account
        return {
            "step": self.transform.name,
            "options": self.transform.model_dump(mode="json"),
            "in": account.taken,
            "kept": account.kept,
            "changed": account.changed,
            "dropped": dict(sorted(account.dropped.items())),
            "tally": dict(sorted(account.tally.items())),
            "found": {} if self.transform.rowwise else self.hider.value(self.transform.found()),
            "samples": [_difference(before, after, self.hider) for before, after in account.samples],
        }


def _known(record: Record) -> int:
    """What a row is known by within this process, id and meta together."""
    return hash((record.id, msgspec.msgpack.encode(record.meta)))


def balance(read: int, kept: int, dropped: int, made: int = 0) -> None:
    """Check that nothing vanished: rows read + made = kept + set aside.

    Raises:
        RuntimeError: The sums do not add up: a fault of tuneloop.
    """
    if read + made != kept + dropped:
        raise RuntimeError(
            f"{read} rows were read and {made} made, but {kept} kept and {dropped} set aside: the ledger is wrong"
        )


def _difference(before: Record, after: Record, hider: Hider) -> dict[str, str]:
    """The first text that a step changed, from a little before the place where it did."""
    for old, new in zip(texts(before.content), texts(after.content), strict=False):
        if old != new:
            shown, then = hider.text(old), hider.text(new)
            at = _parting(shown, then) if shown != then else _parting(old, new)
            start = max(0, at - 20)
            return {"origin": after.origin, "before": shown[start : at + 40], "after": then[start : at + 40]}
    if before.content == after.content:
        return {"origin": after.origin, "before": hider.excerpt(before.meta), "after": hider.excerpt(after.meta)}
    return {"origin": after.origin, "before": hider.excerpt(before.content), "after": hider.excerpt(after.content)}


def _parting(one: str, other: str) -> int:
    """The place from which two texts differ."""
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
