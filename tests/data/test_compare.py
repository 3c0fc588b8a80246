"""Two dataset versions compared: every row is accounted for, and memory does not grow with their texts."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuneloop.data.compare import compare
from tuneloop.data.prepare import from_records, prepare
from tuneloop.data.section import DataSection
from tuneloop.rows import Labeled, Record, Text
from tuneloop.store import Dataset, Store


def row(number: int, text: str = "") -> Record:
    return Record.of(Text(text or f"text {number}"), origin=f"rows.jsonl:{number}")


def made(store: Store, key: str, splits: Mapping[str, Iterable[Record]]) -> Dataset:
    return from_records(splits, store, parents={}, key=key, report={})


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def test_added_removed_changed_moved_and_renumbered_rows_are_told_apart(store: Store) -> None:
    a = made(store, "a", {"train": [row(1), row(2), row(3), row(4), row(5)], "test": [row(6)]})
    b = made(
        store,
        "b",
        {"train": [row(1), row(3, "other"), row(40, "text 4"), row(7), row(6)], "test": [row(5)]},
    )
    found = compare(a, b)
    assert found.rows == {"same": 3, "renumbered": 1, "changed": 1, "added": 1, "removed": 1, "moved": 2}
    assert found.splits["train"] == {"same": 2, "renumbered": 1, "changed": 1, "added": 1, "removed": 1, "moved": 1}
    assert found.splits["test"] == {"same": 1, "moved": 1}
    assert found.sources == {"rows.jsonl": found.rows}
    (changed,) = found.examples["changed"]
    assert (changed.origin, changed.split) == ("rows.jsonl:3", "train")
    assert "text 3" in changed.before
    assert "other" in changed.after
    assert {(each.origin, each.was, each.split) for each in found.examples["moved"]} == {
        ("rows.jsonl:5", "train", "test"),
        ("rows.jsonl:6", "test", "train"),
    }
    assert [each.origin for each in found.examples["added"]] == ["rows.jsonl:7"]
    assert [each.origin for each in found.examples["removed"]] == ["rows.jsonl:2"]
    assert not found.is_same


def test_a_version_is_the_same_as_itself(store: Store) -> None:
    a = made(store, "a", {"train": [row(1), row(2)], "validation": [row(3)]})
    found = compare(a, a)
    assert found.is_same
    assert found.rows == {"same": 3, "renumbered": 0, "changed": 0, "added": 0, "removed": 0, "moved": 0}
    assert (found.made, found.examples) == ({}, {})


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 8), st.sampled_from("ab")), max_size=12), st.integers(0, 2**31))
def test_every_row_of_both_sides_is_counted_once(rows: list[tuple[int, str]], seed: int) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        store = Store(folder)
        chance = random.Random(seed)
        old = [Record.of(Text(text * (n + 1)), origin=f"x:{i}") for i, (n, text) in enumerate(rows)]
        new = [
            Record.of(Text(text * (n + 1)), origin=f"x:{i}")
            for i, (n, text) in enumerate(chance.sample(rows, len(rows) // 2))
        ]
        found = compare(
            made(store, "a", {"train": [row(99), *old]}), made(store, "b", {"train": [row(99), row(98), *new]})
        )
        kept = found.rows["same"] + found.rows["renumbered"] + found.rows["changed"]
        assert kept + found.rows["removed"] == len(old) + 1
        assert kept + found.rows["added"] == len(new) + 2
        assert sum(counts.get("added", 0) for counts in found.splits.values()) == found.rows["added"]


def test_what_was_done_otherwise_and_the_figures_stand_side_by_side(store: Store, tmp_path: Path) -> None:
    lines = [f'{{"text": "row {i}", "label": "{"odd" if i % 2 else "even"}"}}' for i in range(40)]
    (tmp_path / "rows.jsonl").write_text("\n".join(lines))
    section = {"sources": ["rows.jsonl"], "transforms": ["normalize"]}
    a = prepare(DataSection.model_validate(section), store, seed=1, folder=tmp_path)
    (tmp_path / "rows.jsonl").write_text("\n".join(lines[:-10]))
    section |= {"transforms": ["normalize", {"length": {"min_chars": 6}}], "split": {"test": 0.2}}
    b = prepare(DataSection.model_validate(section), store, seed=1, folder=tmp_path)
    found = compare(a, b)
    assert found.made["steps"] == [["normalize"], ["normalize", "length"]]
    assert found.made["options"]["2. length"][1]["min_chars"] == 6
    assert found.made["split"]["test"] == [0.1, 0.2]
    assert list(found.made["files"]) == ["rows.jsonl"]
    assert found.figures["rows read"] == [40, 30]
    assert found.figures["label odd"] == [20, 10]
    assert found.figures["set aside by length: shorter than 6 characters"] == [None, 10]
    assert found.rows["removed"] == 20
    assert isinstance(next(a.records("train")).content, Labeled)


@pytest.mark.slow
def test_two_versions_of_a_hundred_thousand_rows_are_compared_in_a_few_bytes_a_row(store: Store) -> None:
    import subprocess
    import sys

    count = 100_000
    a = made(store, "a", {"train": (row(i, f"{i} " * 40) for i in range(count))})
    b = made(store, "b", {"train": (row(i + 1, f"{i} " * 40) for i in range(3, count))})
    code = (
        "import sys, resource\nfrom tuneloop.data.compare import compare\nfrom tuneloop.store import Dataset, Store\n"
        "import numpy, pyarrow.parquet\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\nbefore = peak()\n"
        "store = Store(sys.argv[1])\na, b = (store.get(Dataset, id) for id in sys.argv[2:])\nfound = compare(a, b)\n"
        "print(found.rows['renumbered'], found.rows['removed'], peak() - before)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(store.root), a.id, b.id], capture_output=True, text=True)
    renumbered, removed, grown = map(int, done.stdout.split())
    assert (renumbered, removed) == (count - 3, 3)
    assert grown < 60_000  # KiB; the texts alone are four times as much


def test_other_options_of_what_acts_after_the_split_are_told_and_made_rows_counted(
    tmp_path: Path, store: Store
) -> None:
    rows = [{"text": f"row number {i} about {i * 7}", "label": "a" if i % 5 else "b"} for i in range(40)]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))

    def version(**options: object) -> Dataset:
        section = {"sources": ["rows.jsonl"], "transforms": [], "split": {"near": None}, **options}
        return prepare(DataSection.model_validate(section), store, seed=1, folder=tmp_path)

    plain, grown = version(), version(balance="oversample", augment=["swap"])
    found = compare(plain, grown)
    assert found.made["balance"][0] is None
    assert "oversample" in found.made["balance"][1]
    assert found.made["augment"][1]["copies"] == 1
    assert "encoders" not in found.made
    assert found.figures["rows made"] == [0, grown.facts["made"]]
    assert grown.facts["made"] > 0
    more = compare(grown, version(balance="oversample", augment={"by": ["swap"], "copies": 2}))
    assert more.made["augment"] == {"copies": [1, 2]}
