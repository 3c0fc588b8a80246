"""Comparing two dataset versions: rows, splits, sources, steps and figures.

Rows are paired three times over: the same place and content; the same content at another place (lines above it came or
went); the same place with other content (a changed row). What is left over was added or removed. Only digests are held
in memory, 30 bytes a row; a row itself is read only where it is an example.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from tuneloop.data.columns import excerpt
from tuneloop.data.split import SIDES
from tuneloop.rows import Record
from tuneloop.rows.record import source_of
from tuneloop.store import Dataset

if TYPE_CHECKING:
    import numpy as np

BATCH = 8192


class Example(msgspec.Struct, frozen=True, omit_defaults=True):
    """One row that differs: where it stands, and the beginning of its content before and after."""

    origin: str
    split: str
    before: str = ""
    after: str = ""
    was: str = ""


class Difference(msgspec.Struct, frozen=True):
    """What differs between two dataset versions.

    Attributes:
        a: Id of the first.
        b: Id of the second.
        rows: ``same``, ``added``, ``removed``, ``changed`` (same place, other content), ``renumbered`` (same content at
            another place) and ``moved``: rows of the same content that stand in another split, which must be 0.
        splits: The same by split (of the second version; of the first for removed rows).
        sources: The same by source.
        made: What differs in how they were made: tool version, files, steps with their options, split, columns.
        figures: Figures of both versions, side by side.
        examples: A few rows of each kind.
    """

    a: str
    b: str
    rows: dict[str, int]
    splits: dict[str, dict[str, int]]
    sources: dict[str, dict[str, int]]
    made: dict[str, Any]
    figures: dict[str, list[Any]]
    examples: dict[str, list[Example]]

    @property
    def is_same(self) -> bool:
        """Whether both versions hold the same rows in the same splits."""
        return not any(self.rows[what] for what in ("added", "removed", "changed", "moved"))


def compare(a: Dataset, b: Dataset, *, examples: int = 3) -> Difference:
    """Compare two dataset versions.

    Args:
        a: The earlier one.
        b: The later one.
        examples: How many rows of each kind to show.

    Returns:
        The difference; it holds no row but the examples.
    """
    sources: dict[str, int] = {}
    left, right = _Digests(a, sources), _Digests(b, sources)
    pairs = _pair(left, right)
    names = list(sources)
    rows: dict[str, int] = {}
    splits: dict[str, Counter[str]] = {split: Counter() for split in SIDES}
    by_source: dict[str, Counter[str]] = {name: Counter() for name in names}
    for what, (of_a, of_b) in pairs.items():
        side, places = (left, of_a) if what == "removed" else (right, of_b)
        rows[what] = len(places)
        for split, count in _counted(side.split[places]):
            splits[SIDES[split]][what] = count
        for source, count in _counted(side.source[places]):
            by_source[names[source]][what] = count
    shown = {
        what: list(_examples(left, right, of_a[:examples], of_b[:examples]))
        for what, (of_a, of_b) in pairs.items()
        if what not in ("same", "renumbered") and (len(of_a) or len(of_b))
    }
    return Difference(
        a.id,
        b.id,
        rows,
        {split: dict(counts) for split, counts in splits.items() if counts},
        {name: dict(counts) for name, counts in sorted(by_source.items()) if counts},
        _made(a, b),
        _figures(a, b),
        shown,
    )


class _Digests:
    """The rows of a dataset as arrays of digests, in the order train, validation, test."""

    def __init__(self, dataset: Dataset, sources: dict[str, int]) -> None:
        from array import array

        import numpy as np

        self.dataset = dataset
        origin, content = array("Q"), array("Q")
        source, split = array("I"), array("B")
        for number, side in enumerate(SIDES):
            for id, place in _columns(dataset, side, ("id", "origin")):
                origin.append(int.from_bytes(hashlib.blake2b(place.encode(), digest_size=8).digest()))
                content.append(int(id[:16], 16))
                source.append(sources.setdefault(source_of(place), len(sources)))
                split.append(number)
        self.origin = np.array(origin, dtype=np.uint64)
        self.content = np.array(content, dtype=np.uint64)
        self.source = np.array(source, dtype=np.uint32)
        self.split = np.array(split, dtype=np.uint8)

    def rows(self, places: np.ndarray) -> dict[int, Record]:
        """Read the rows at some places."""
        wanted, start = {int(place) for place in places}, 0
        found: dict[int, Record] = {}
        decoder = msgspec.json.Decoder(Record)
        for side in self.dataset.splits:
            if not wanted - found.keys():
                break
            for index, (row,) in enumerate(_columns(self.dataset, side, ("record",)), start):
                if index in wanted:
                    found[index] = decoder.decode(row)
            start = int((self.split <= SIDES.index(side)).sum())
        return found


def _columns(dataset: Dataset, split: str, names: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    import pyarrow.parquet as pq

    path = dataset.folder / f"{split}.parquet"
    if path.exists():
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=BATCH, columns=list(names)):
                yield from zip(*(batch.column(name).to_pylist() for name in names), strict=True)


def _pair(a: _Digests, b: _Digests) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Places of the rows of each kind, those of ``a`` and those of ``b``, in stored order."""
    import numpy as np

    left, right = np.arange(len(a.origin)), np.arange(len(b.origin))
    both = (a.origin ^ _spread(a.content)), (b.origin ^ _spread(b.content))
    found: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for what, (keys_a, keys_b) in {
        "same": both,
        "renumbered": (a.content, b.content),
        "changed": (a.origin, b.origin),
    }.items():
        of_a, of_b = _matched(keys_a[left], keys_b[right])
        found[what] = left[of_a], right[of_b]
        left, right = np.delete(left, of_a), np.delete(right, of_b)
    found["added"], found["removed"] = (right[:0], right), (left, left[:0])
    alike = [np.concatenate(each) for each in zip(found["same"], found["renumbered"], strict=True)]
    elsewhere = a.split[alike[0]] != b.split[alike[1]]
    found["moved"] = alike[0][elsewhere], alike[1][elsewhere]
    return found


def _spread(digests: np.ndarray) -> np.ndarray:
    """Digests turned by half their width, so that an origin and a content never cancel out."""
    import numpy as np

    return (digests << np.uint64(32)) | (digests >> np.uint64(32))


def _matched(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pair equal keys one to one, the first with the first; the places in ``a`` and ``b``, by their place in ``b``."""
    import numpy as np

    def numbered(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        order = np.argsort(keys, kind="stable")
        ordered = keys[order]
        begins = np.concatenate(([True], ordered[1:] != ordered[:-1])) if len(keys) else np.zeros(0, bool)
        first = np.maximum.accumulate(np.where(begins, np.arange(len(keys)), 0)) if len(keys) else order
        pairs = np.empty(len(keys), dtype=[("key", np.uint64), ("nth", np.uint32)])
        pairs["key"], pairs["nth"] = ordered, np.arange(len(keys)) - first
        return order, pairs

    order_a, pairs_a = numbered(a)
    order_b, pairs_b = numbered(b)
    at = np.searchsorted(pairs_a, pairs_b)
    hit = at < len(pairs_a)
    hit[hit] = pairs_a[at[hit]] == pairs_b[hit]
    of_a, of_b = order_a[at[hit]], order_b[hit]
    by_place = np.argsort(of_b, kind="stable")
    return of_a[by_place], of_b[by_place]


def _counted(codes: np.ndarray) -> Iterator[tuple[int, int]]:
    import numpy as np

    values, counts = np.unique(codes, return_counts=True)
    return zip(values.tolist(), counts.tolist(), strict=True)


def _examples(a: _Digests, b: _Digests, of_a: np.ndarray, of_b: np.ndarray) -> Iterator[Example]:
    before, after = a.rows(of_a), b.rows(of_b)
    for index in range(max(len(of_a), len(of_b))):
        old = before[int(of_a[index])] if len(of_a) else None
        new = after[int(of_b[index])] if len(of_b) else None
        split_a = SIDES[int(a.split[of_a[index]])] if old else ""
        split_b = SIDES[int(b.split[of_b[index]])] if new else split_a
        same = old is not None and new is not None and old.id == new.id
        yield Example(
            (new or old).origin,  # type: ignore[union-attr]
            split_b,
            excerpt(old.content) if old else "",
            excerpt(new.content) if new and not same else "",
            split_a if split_a != split_b else "",
        )


def _made(a: Dataset, b: Dataset) -> dict[str, Any]:
    """What differs in how two versions were made."""
    values = [_making(each) for each in (a, b)]
    differences: dict[str, Any] = {}
    for what in values[0]:
        old, new = values[0][what], values[1][what]
        if isinstance(old, dict) and isinstance(new, dict):
            changed = {
                name: [old.get(name), new.get(name)] for name in {**old, **new} if old.get(name) != new.get(name)
            }
            differences |= {what: changed} if changed else {}
        elif old != new:
            differences[what] = [old, new]
    return differences


def _making(dataset: Dataset) -> dict[str, Any]:
    report = dataset.report
    steps = report.get("steps", [])
    files = [file for source in report.get("sources", []) for file in source["files"]]
    return {
        "tool_version": dataset.manifest.tool_version,
        "parents": dataset.parents,
        "files": {file["file"]: file["sha256"][:12] for file in files},
        "steps": [step["step"] for step in steps],
        "options": {f"{number}. {step['step']}": step["options"] for number, step in enumerate(steps, 1)},
        **{name: report.get("after_split", {}).get(name) for name in ("balance", "augment", "encoders")},
        "split": report.get("split", {}),
        "columns": _schema(dataset),
    }


def _schema(dataset: Dataset) -> list[str]:
    import pyarrow.parquet as pq

    names: set[str] = set()
    for split in dataset.splits:
        names |= {f"{field.name}: {field.type}" for field in pq.read_schema(dataset.folder / f"{split}.parquet")}
    return sorted(names)


def _figures(a: Dataset, b: Dataset) -> dict[str, list[Any]]:
    """Figures of both versions by name; a figure that one of them lacks is None there."""
    values = [dict(_figured(each)) for each in (a, b)]
    return {name: [each.get(name) for each in values] for name in {**values[0], **values[1]}}


def _figured(dataset: Dataset) -> Iterator[tuple[str, Any]]:
    report = dataset.report
    rows = report["rows"]
    yield from (("rows read", rows["read"]), ("rows made", rows.get("made", 0)))
    yield from (("rows kept", rows["kept"]), ("rows set aside", rows["dropped"]))
    for split, count in report["splits"].items():
        yield f"rows in {split}", count
    for split, bins in report["characters"].items():
        yield f"characters of a row in {split}, half are below", _middle(bins)
    for kind, count in report["kinds"].items():
        yield f"{kind} rows", count
    for entry in report["dropped"]:
        yield f"set aside by {entry['step']}: {entry['reason']}", entry["rows"]
    labels = Counter(label for split in dataset.splits for label in _labels(dataset, split))
    for label, count in labels.most_common(50):
        yield f"label {label}", count


def _labels(dataset: Dataset, split: str) -> Iterator[str]:
    import pyarrow.parquet as pq

    if "label" in pq.read_schema(dataset.folder / f"{split}.parquet").names:
        yield from (label for (label,) in _columns(dataset, split, ("label",)) if label is not None)


def _middle(bins: list[Mapping[str, int]]) -> int:
    below, half = 0, sum(entry["rows"] for entry in bins) / 2
    for entry in bins:
        below += entry["rows"]
        if below >= half:
            return entry["below"]
    return 0
