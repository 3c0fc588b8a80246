"""The leak certificate: the finished splits are read again, and no row of one may be known from another.

It takes another way than the one that placed the rows: it knows nothing of how a side was decided, reads the files as
they will be sealed, and compares every two splits.

* exact: digests of the whole row and of what it asks, whatever its case, blanks and Unicode spelling;
* near: texts at least as alike as the split says, found by other hashes than those that placed the rows;
* group: the values of the group's column;
* time: the newest row of the earlier split against the oldest of the later one.

Held in memory are digests of the held-out rows; the texts compared lie on disk.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tuneloop.data.kinship import cell, question, same_group, whole
from tuneloop.data.moments import moment, told
from tuneloop.data.nearness import Texts
from tuneloop.data.section import Split
from tuneloop.errors import RecordError
from tuneloop.rows import Record
from tuneloop.store import Dataset
from tuneloop.store.parquet import read_records

FILE = "certificate.json"
SEED = 20_011
"""Decides the hashes of the comparison; rows are placed by others."""
SHOWN = 5
PAIRS = (("train", "validation"), ("train", "test"), ("validation", "test"))
BLIND = (
    "the same in another language or in quite other words",
    "what stands only in tool calls, images or system prompts",
    "cells of tables that are alike but not the same",
    "what the base model saw before",
)
"""What no comparison of texts sees."""


def certify(dataset: Dataset, split: Split | None = None) -> dict[str, Any]:
    """Compare every two splits of a dataset, whichever way it was made.

    Args:
        dataset: The dataset.
        split: What is promised: similarity, group and time; by default what its report says of its split.

    Returns:
        The certificate, as ``certificate.json`` holds it; ``clean`` says whether nothing was found.
    """
    with tempfile.TemporaryDirectory() as spill:
        return certify_folder(dataset.folder, split or promised(dataset), Path(spill))


def promised(dataset: Dataset) -> Split:
    """What a dataset's report says of its split; the defaults where it says nothing."""
    said = dataset.report.get("split") or {} if (dataset.folder / "report.json").exists() else {}
    return Split.model_validate({name: said[name] for name in Split.model_fields if name in said})


def certify_folder(folder: Path, split: Split, spill: Path) -> dict[str, Any]:
    """Compare every two splits in a folder of Parquet files.

    Args:
        folder: The folder with ``train.parquet`` and so on.
        split: What is promised.
        spill: A folder with room for the texts.
    """
    sides = _Sides(folder)
    seen = _Seen(split)
    for name in ("test", "validation", "train"):
        for record in sides.records(name):
            seen.add(name, record)
    near, how = _near(sides, split, spill) if split.near is not None else ({}, None)
    pairs = []
    for pair in PAIRS:
        if all(seen.rows.get(name) for name in pair):
            found = {**seen.found.get(pair, {}), **({"near": near[pair]} if near.get(pair) else {})}
            pairs.append(_pair(pair, seen, split, found))
    return {
        "clean": all(pair["leaks"] == 0 for pair in pairs),
        "rows": {name: seen.rows[name] for name in ("train", "validation", "test") if name in seen.rows},
        "pairs": pairs,
        "how": _how(split, how),
        "blind_to": list(BLIND),
    }


def leaks(certificate: Mapping[str, Any]) -> list[str]:
    """What a certificate found, a line for each kind and pair.

    Example:
        >>> leaks({"pairs": [{"of": "train", "in": "test", "leaks": 1, "exact": 1, "near": 0,
        ...                   "examples": [{"kind": "exact", "origin": "a:1"}]}]})
        ['train and test: 1 exact (first: a:1)']
    """
    found = []
    for pair in certificate["pairs"]:
        for kind in ("exact", "near", "group", "time"):
            if pair.get(kind):
                first = next((each["origin"] for each in pair["examples"] if each["kind"] == kind), "")
                found.append(f"{pair['of']} and {pair['in']}: {pair[kind]} {kind} (first: {first})")
    return found


def lines(certificate: Mapping[str, Any]) -> Iterator[str]:
    """The certificate as a section of the card, in Markdown."""
    yield from ("## Leak certificate", "")
    if not certificate["pairs"]:
        yield from ("There is only one split, so nothing can leak.", "")
        return
    clean = "No row of one split is known from another." if certificate["clean"] else "**Rows leak between splits.**"
    yield from (
        clean,
        "",
        "| of | known in | rows compared | exact | near | group | time |",
        "|---|---|---|---|---|---|---|",
    )
    for pair in certificate["pairs"]:
        counts = [pair[kind] if pair[kind] is not None else "not asked" for kind in ("exact", "near", "group")]
        when = "not asked" if pair["time"] is None else "in order" if not pair["time"] else pair["time"]
        cells = [pair["of"], pair["in"], f"{pair['rows'][0]} × {pair['rows'][1]}", *counts, when]
        yield "| " + " | ".join(map(str, cells)) + " |"
    yield ""
    for kind, how in certificate["how"].items():
        yield f"- {kind}: {how}"
    yield f"- not seen: {'; '.join(certificate['blind_to'])}"
    for line in leaks(certificate):
        yield f"- found: {line}"
    yield ""


@dataclass
class _Sides:
    """The splits of a folder."""

    folder: Path

    def records(self, *names: str) -> Iterator[Record]:
        for name in names:
            path = self.folder / f"{name}.parquet"
            if path.exists():
                yield from read_records(path)


@dataclass
class _Seen:
    """Digests of the held-out rows, and what of the rows that came after was among them."""

    split: Split
    rows: dict[str, int] = field(default_factory=dict)
    spans: dict[str, list[int]] = field(default_factory=dict)
    found: dict[tuple[str, str], dict[str, list[str]]] = field(default_factory=dict)
    _held: dict[str, dict[str, set[int]]] = field(default_factory=dict)

    def add(self, side: str, record: Record) -> None:
        """Look for a row among the held-out ones of other sides, then hold it unless it is a training row."""
        self.rows[side] = self.rows.get(side, 0) + 1
        digests = {"exact": (question(record.content), whole(record.content)), "group": self._group(record)}
        for other, held in self._held.items():
            if other != side:
                for kind, values in digests.items():
                    if not held[kind].isdisjoint(values):
                        self.found.setdefault((side, other), {}).setdefault(kind, []).append(record.origin)
        if side != "train":
            held = self._held.setdefault(side, {"exact": set(), "group": set()})
            for kind, values in digests.items():
                held[kind].update(values)
        if self.split.by == "time" and self.split.column:
            self._time(side, record)

    def _group(self, record: Record) -> tuple[int, ...]:
        if self.split.by != "group" or self.split.column is None:
            return ()
        value = cell(record, self.split.column)
        return () if value is None else (same_group(value),)

    def _time(self, side: str, record: Record) -> None:
        try:
            when = moment(cell(record, self.split.column or ""))
        except RecordError:
            return
        span = self.spans.setdefault(side, [when, when])
        span[0], span[1] = min(span[0], when), max(span[1], when)


def _pair(pair: tuple[str, str], seen: _Seen, split: Split, found: Mapping[str, list[str]]) -> dict[str, Any]:
    one, other = pair
    counts: dict[str, int | None] = {kind: len(found.get(kind, ())) for kind in ("exact", "near", "group")}
    counts["near"] = None if split.near is None else counts["near"]
    counts["group"] = counts["group"] if split.by == "group" else None
    examples = [{"kind": kind, "origin": origin} for kind in found for origin in found[kind][:SHOWN]]
    counts["time"] = None
    if split.by == "time":
        first, then = seen.spans.get(one), seen.spans.get(other)
        wrong = first is not None and then is not None and first[1] >= then[0]
        counts["time"] = int(wrong)
        if wrong and first and then:
            examples.append({"kind": "time", "origin": f"{one} up to {told(first[1])}, {other} from {told(then[0])}"})
    return {
        "of": one,
        "in": other,
        "rows": [seen.rows[one], seen.rows[other]],
        **counts,
        "leaks": sum(count or 0 for count in counts.values()),
        "examples": examples,
    }


def _near(sides: _Sides, split: Split, spill: Path) -> tuple[dict[tuple[str, str], list[str]], str]:
    """Rows of one split whose texts are near those of another; compared pair by pair only where there are any."""
    from tuneloop.data.near.bands import found
    from tuneloop.data.near.search import Search

    search = Search(similarity=split.near or 1.0, spill=spill, seed=SEED)
    near = {}
    if _met(sides, ("train",), ("validation", "test"), search):
        for one, other in (("train", "validation"), ("train", "test")):
            near[one, other] = _met(sides, (one,), (other,), search)
    near["validation", "test"] = _met(sides, ("validation",), ("test",), search)
    just = found(search.jaccard, search.shape)
    how = (
        f"what a row asks, and question with answer, by MinHash under hashes of their own (seed {SEED}); "
        f"every pair met is compared exactly, {search.similarity:g} and above is near; of pairs just that alike "
        f"{just:.1%} are met, of others more; {search.counts['compared']} pairs were compared"
    )
    return near, how


def _met(sides: _Sides, texts: Iterable[str], others: Iterable[str], search: Any) -> list[str]:
    """Origins of the rows of some splits that are near rows of others."""
    from tuneloop.data.near.others import near_to

    given = Texts(enumerate(sides.records(*texts)))
    held = Texts(enumerate(sides.records(*others)))
    if not given.any() or not held.any():
        return []
    met = sorted({given.owners[pair.later] for pair in near_to(given, held, search)})
    if not met:
        return []
    wanted = set(met)
    return [record.origin for number, record in enumerate(sides.records(*texts)) if number in wanted]


def _how(split: Split, near: str | None) -> dict[str, str]:
    how = {
        "exact": "digests of what a row asks and of the whole row, without regard to case, blanks and Unicode spelling"
    }
    if near is not None:
        how["near"] = near
    if split.by == "group":
        how["group"] = f"digests of the values of {split.column}"
    if split.by == "time":
        how["time"] = f"newest and oldest {split.column} of each split; a time without zone counts as UTC"
    return how
