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
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tuneloop.data.inspection import NONE, Inspector, Splits
from tuneloop.data.moments import told
from tuneloop.data.nearness import Texts
from tuneloop.data.section import Split
from tuneloop.store import Dataset

if TYPE_CHECKING:
    from tuneloop.data.near.others import Seeker
    from tuneloop.data.near.search import Search
    from tuneloop.data.parallel import Crew

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


def certify_folder(folder: Path, split: Split, spill: Path, crew: Crew | None = None) -> dict[str, Any]:
    """Compare every two splits in a folder of Parquet files.

    Args:
        folder: The folder with ``train.parquet`` and so on.
        split: What is promised.
        spill: A folder with room for the texts.
        crew: Processes that share the work; None leaves all of it to this one.
    """
    from tuneloop.data.near.search import Search

    splits = Splits(folder)
    search = None if split.near is None else Search(split.near, spill=spill, seed=SEED, crew=crew)
    with ExitStack() as stack:
        account = _Account(splits, split, search, stack)
        for name, others in (("test", ()), ("validation", ("test",)), ("train", ("validation", "test"))):
            account.look(name, others)
    pairs = []
    for one, other in PAIRS:
        if account.rows.get(one) and account.rows.get(other):
            found = {kind: account.found.get((one, other, kind), []) for kind in ("exact", "near", "group")}
            pairs.append(_pair((one, other), account, {kind: which for kind, which in found.items() if which}))
    return {
        "clean": all(pair["leaks"] == 0 for pair in pairs),
        "rows": {name: account.rows[name] for name in ("train", "validation", "test") if name in account.rows},
        "pairs": pairs,
        "how": _how(split, search),
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


class _Account:
    """What was found of the splits looked at so far: every one is compared with those before it.

    Attributes:
        split: What is promised.
        rows: The rows of each split.
        spans: The oldest and newest time of each.
        found: For two splits and a kind of leak the origins of the rows of the first that are known from the second.
    """

    def __init__(self, splits: Splits, split: Split, search: Search | None, stack: ExitStack) -> None:
        self.split = split
        self.rows: dict[str, int] = {}
        self.spans: dict[str, tuple[int, int]] = {}
        self.found: dict[tuple[str, str, str], list[str]] = {}
        self._splits, self._search, self._stack = splits, search, stack
        self._held: dict[str, tuple[NDArray[np.int64], NDArray[np.int64]]] = {}

    def look(self, name: str, others: tuple[str, ...]) -> None:
        """Look at a split, and whether its rows are known from others that were looked at before."""
        chunks = self._splits.chunks(name)
        others = tuple(other for other in others if other in self.rows)
        if not chunks:
            return
        work = Inspector(self._splits, self.split, self._seeker(others))
        seen = list(self._search.shared(work, chunks) if self._search else map(work, chunks))
        exact, groups = (np.concatenate(each) for each in zip(*((one.exact, one.groups) for one in seen), strict=True))
        self.rows[name] = len(groups)
        spans = [one.span for one in seen if one.span]
        if spans:
            self.spans[name] = min(first for first, _ in spans), max(last for _, last in spans)
        for other in others:
            held, held_groups = self._held[other]
            known = {"exact": np.isin(exact, held).any(1), "group": np.isin(groups, held_groups[held_groups != NONE])}
            for kind, which in known.items():
                if which.any():
                    self.found[name, other, kind] = self._origins(name, set(np.flatnonzero(which).tolist()))
        if any(one.near for one in seen) and self._search:
            for other in others:
                self.found[name, other, "near"] = _met(self._splits, name, other, self._search)
        if self._search:
            self._search.counts["compared"] += sum(one.compared for one in seen)
        self._held[name] = exact, groups

    def _seeker(self, others: tuple[str, ...]) -> Seeker | None:
        """What seeks texts near those of other splits."""
        from tuneloop.data.near.kept import room
        from tuneloop.data.near.others import known

        if self._search is None or not others:
            return None
        folder = self._stack.enter_context(room(self._search.spill))
        parts = self._search.shared(self._splits.texts, self._splits.chunks(*others))
        return known((text for part in parts for text in part), folder, self._search)

    def _origins(self, name: str, which: set[int]) -> list[str]:
        records = enumerate(self._splits.records(*self._splits.chunks(name)))
        return [record.origin for number, record in records if number in which]


def _pair(pair: tuple[str, str], seen: _Account, found: Mapping[str, list[str]]) -> dict[str, Any]:
    one, other = pair
    split = seen.split
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


def _met(splits: Splits, name: str, other: str, search: Search) -> list[str]:
    """Origins of the rows of a split that are near rows of another."""
    from tuneloop.data.near.others import near_to

    given, held = (Texts(enumerate(splits.records(*splits.chunks(each)))) for each in (name, other))
    met = {given.owners[pair.later] for pair in near_to(given, held, replace(search, counts=Counter()))}
    records = enumerate(splits.records(*splits.chunks(name)))
    return [record.origin for number, record in records if number in met]


def _how(split: Split, search: Search | None) -> dict[str, str]:
    from tuneloop.data.near.bands import found

    how = {
        "exact": "digests of what a row asks and of the whole row, without regard to case, blanks and Unicode spelling"
    }
    if search is not None:
        just = found(search.jaccard, search.shape)
        how["near"] = (
            f"what a row asks, and question with answer, by MinHash under hashes of their own (seed {SEED}); "
            f"every pair met is compared exactly, {search.similarity:g} and above is near; of pairs just that alike "
            f"{just:.1%} are met, of others more; {search.counts['compared']} pairs were compared"
        )
    if split.by == "group":
        how["group"] = f"digests of the values of {split.column}"
    if split.by == "time":
        how["time"] = f"newest and oldest {split.column} of each split; a time without zone counts as UTC"
    return how
