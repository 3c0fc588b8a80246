"""The ledger: every row that came in is kept or set aside with its reason, and the sums are checked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from tuneloop.data.columns import excerpt
from tuneloop.data.contents import texts
from tuneloop.data.recognise import Verdict
from tuneloop.data.transforms import Transform
from tuneloop.rows import Drop, Record

SAMPLES = 3


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


@dataclass
class Step:
    """One transform's account: what went in, came out changed or unchanged, or was set aside."""

    transform: Transform
    taken: int = 0
    kept: int = 0
    changed: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    samples: list[dict[str, str]] = field(default_factory=list)
    _open: dict[str, Record] = field(default_factory=dict)

    def run(self, items: Iterable[Record | Drop]) -> Iterator[Record | Drop]:
        """Put the records among the items through the transform; what was set aside before passes by.

        Raises:
            RuntimeError: The transform lost, doubled or made up a row: a fault of its code.
        """
        passing: list[Drop] = []

        def records() -> Iterator[Record]:
            for item in items:
                if isinstance(item, Drop):
                    passing.append(item)
                else:
                    self._open[item.origin] = item
                    self.taken += 1
                    yield item

        for result in self.transform.run(records()):
            while passing:
                yield passing.pop(0)
            yield self._close(result)
        yield from passing
        if self._open:
            raise RuntimeError(
                f"the transform {self.transform.name} lost {len(self._open)} rows: {list(self._open)[:3]}"
            )

    def _close(self, result: Record | Drop) -> Record | Drop:
        before = self._open.pop(result.origin, None)
        if before is None:
            raise RuntimeError(f"the transform {self.transform.name} gave {result.origin} without having been given it")
        if isinstance(result, Drop):
            self.dropped[result.reason] += 1
            return result if result.detail else msgspec.structs.replace(result, detail=excerpt(before.content))
        self.kept += 1
        if result.id != before.id:
            self.changed += 1
            if len(self.samples) < SAMPLES:
                self.samples.append(_difference(before, result))
        return result

    def report(self) -> dict[str, Any]:
        """The account as plain values."""
        return {
            "step": self.transform.name,
            "options": self.transform.model_dump(mode="json"),
            "in": self.taken,
            "kept": self.kept,
            "changed": self.changed,
            "dropped": dict(sorted(self.dropped.items())),
            "samples": self.samples,
        }


def balance(read: int, kept: int, dropped: int) -> None:
    """Check that nothing vanished.

    Raises:
        RuntimeError: The sums do not add up: a fault of tuneloop.
    """
    if read != kept + dropped:
        raise RuntimeError(f"{read} rows were read, but {kept} kept and {dropped} set aside: the ledger is wrong")


def _difference(before: Record, after: Record) -> dict[str, str]:
    """The first text that a step changed, from a little before the place where it did."""
    for old, new in zip(texts(before.content), texts(after.content), strict=False):
        if old != new:
            at = next((i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
            start = max(0, at - 20)
            return {
                "origin": after.origin,
                "before": old[start : at + 40],
                "after": new[start : at + 40],
            }
    return {"origin": after.origin, "before": excerpt(before.content), "after": excerpt(after.content)}
