"""The flow of rows through a preparation, as a report tells it, with sums that add up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from tuneloop.data.card.compliance import named

READING = ("read", "format")
"""What the ledger calls the setting aside of rows that could not be read or understood."""


@dataclass(frozen=True)
class Stage:
    """One station of the rows.

    Attributes:
        name: What it is called.
        taken: Rows that came to it.
        made: Rows that it made.
        aside: Rows that it set aside, by reason.
        changed: Rows that it changed.
    """

    name: str
    taken: int
    made: int = 0
    aside: Mapping[str, int] = field(default_factory=dict)
    changed: int = 0

    @property
    def gone(self) -> int:
        """How many rows it set aside."""
        return sum(self.aside.values())

    @property
    def left(self) -> int:
        """How many rows leave it."""
        return self.taken + self.made - self.gone


@dataclass(frozen=True)
class Flow:
    """The way of all rows.

    Attributes:
        sources: The sources with the rows read from each.
        stages: The stations in order; each takes what the one before left.
        splits: Where the rows ended.
    """

    sources: list[tuple[str, int]]
    stages: list[Stage]
    splits: dict[str, int]


def flow(report: Mapping[str, Any]) -> Flow:
    """Follow the rows through a report.

    Args:
        report: What ``report.json`` holds.

    Raises:
        RuntimeError: The report's sums do not add up: a fault of tuneloop.
    """
    read = report["rows"]["read"]
    sources = [(named(source), sum(file["read"] for file in source["files"])) for source in report.get("sources", ())]
    left = Counter({(entry["step"], entry["reason"]): entry["rows"] for entry in report["dropped"]})
    steps = report.get("steps", ())
    stages = [_stage("read", read, left, {name for name, _ in left} if not steps else set(READING))]
    for step in steps:
        _take_out(left, step["step"], step["dropped"])
        stages.append(Stage(step["step"], step["in"], aside=step["dropped"], changed=step["changed"]))
    grown = report.get("growth", ())
    for each in grown:
        _take_out(left, each["step"], each["dropped"])
    if steps or grown:
        stages.append(_stage("split", stages[-1].left, left, {name for name, _ in left}))
    for each in grown:
        stages.append(Stage(each["step"], stages[-1].left, each["made"], each["dropped"]))
    _check(stages, sum(report["splits"].values()))
    return Flow(sources or [("rows given", read)], stages, dict(report["splits"]))


def _stage(name: str, taken: int, left: Counter[tuple[str, str]], steps: set[str]) -> Stage:
    """A stage with all that some steps set aside, taken out of what is left."""
    aside = {reason: rows for (step, reason), rows in left.items() if step in steps and rows > 0}
    for key in [key for key in left if key[0] in steps]:
        del left[key]
    return Stage(name, taken, aside=aside)


def _take_out(left: Counter[tuple[str, str]], step: str, reasons: Mapping[str, int]) -> None:
    for reason, rows in reasons.items():
        left[step, reason] -= rows


def _check(stages: list[Stage], kept: int) -> None:
    for before, after in pairwise(stages):
        if before.left != after.taken:
            raise RuntimeError(f"{before.name} left {before.left} rows, but {after.name} took {after.taken}")
    if stages[-1].left != kept:
        raise RuntimeError(f"{stages[-1].name} left {stages[-1].left} rows, but {kept} are in the splits")
