"""Samples and mixtures: what is drawn follows from rows and seed, grows by nesting, and is accounted for."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tuneloop.data.section import DataSection
from tuneloop.errors import DataError
from tuneloop.store import Dataset

Make = Callable[..., Dataset]


def write(folder: Path, name: str, count: int) -> None:
    rows = [
        {"question": f"{name}: what is {i * 37} plus {i}?", "answer": f"{name} says {i * 38}"} for i in range(count)
    ]
    (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture
def files(tmp_path: Path) -> Path:
    for name, count in (("a", 200), ("b", 100), ("c", 50)):
        write(tmp_path, name, count)
    return tmp_path


def origins(dataset: Dataset, split: str = "train") -> set[str]:
    return {record.origin for record in dataset.records(split)}


def figures(dataset: Dataset) -> list[dict[str, Any]]:
    return [source["rows"] for source in dataset.report["sources"]]


@pytest.mark.parametrize(("small", "large"), [({"rows": 20}, {"rows": 60}), ({"share": 0.1}, {"share": 0.3})])
def test_a_larger_sample_holds_the_smaller_one(
    make: Make, files: Path, small: dict[str, Any], large: dict[str, Any]
) -> None:
    one = make(sources=[{"path": "a.jsonl", "sample": small}, "c.jsonl"])
    two = make(sources=[{"path": "a.jsonl", "sample": large}, "c.jsonl"])
    assert origins(one) < origins(two)
    assert len(origins(one)) > 55 and figures(one)[0]["dropped"] == 200 - figures(one)[0]["kept"]
    assert figures(one)[1] == {
        "read": 50,
        "made": 0,
        "kept": 50,
        "dropped": 0,
        "train": 50,
        "share": figures(one)[1]["share"],
    }
    if "rows" in small:
        assert figures(one)[0]["kept"] == 20
    reasons = {entry["reason"]: entry["rows"] for entry in one.report["dropped"]}
    assert reasons == {"the sample does not take it": figures(one)[0]["dropped"]}


def test_a_sample_keeps_the_order_and_is_another_with_another_seed(make: Make, files: Path) -> None:
    source = {"path": "a.jsonl", "sample": {"rows": 30}}
    drawn = [int(record.origin.partition(":")[2]) for record in make(sources=[source]).records("train")]
    assert drawn == sorted(drawn) and len(drawn) == 30
    assert origins(make(sources=[source], seed=7)) != {f"a.jsonl:{line}" for line in drawn}


def test_rows_added_behind_move_none_of_a_shares_draw_and_only_push_out_of_a_number(make: Make, files: Path) -> None:
    share, number = {"path": "a.jsonl", "sample": {"share": 0.2}}, {"path": "a.jsonl", "sample": {"rows": 40}}
    before = origins(make(sources=[share])), origins(make(sources=[number]))
    write(files, "a", 300)
    after = origins(make(sources=[share])), origins(make(sources=[number]))
    old = {origin for origin in after[0] if int(origin.partition(":")[2]) <= 200}
    assert old == before[0]
    assert {origin for origin in after[1] if int(origin.partition(":")[2]) <= 200} < before[1]


def test_weights_take_rows_so_often_and_the_ledger_says_so(make: Make, files: Path) -> None:
    dataset = make(
        sources=[{"path": "a.jsonl", "weight": 0.25}, {"path": "b.jsonl", "weight": 2.5}, "c.jsonl"],
        split={"validation": 0, "test": 0.1, "near": None},
    )
    a, b, c = figures(dataset)
    assert b["dropped"] == 0
    trained = b["train"] - b["made"]
    assert 2 * trained < b["train"] < 3 * trained
    times = Counter(record.meta.get("parent", record.origin) for record in dataset.records("train"))
    assert {count for origin, count in times.items() if origin.startswith("b")} == {2, 3}
    assert 20 < a["train"] < 80 and c["made"] == 0
    assert sum(each["share"] for each in (a, b, c)) == pytest.approx(1, abs=0.001)
    rows = dataset.report["rows"]
    assert rows["read"] + rows["made"] == rows["kept"] + rows["dropped"] and rows["made"] == b["made"]
    assert not any("made_by" in record.meta for record in dataset.records("test"))


def test_a_larger_weight_takes_what_the_smaller_one_took(make: Make, files: Path) -> None:
    def run(weight: float) -> set[str]:
        return origins(make(sources=[{"path": "a.jsonl", "weight": weight}]))

    assert run(0.2) < run(0.5) < run(1) < run(1.5)


def test_shares_are_met_beside_sources_that_keep_their_rows(make: Make, files: Path) -> None:
    dataset = make(sources=[{"path": "a.jsonl", "share": 0.25}, {"path": "b.jsonl", "share": 0.7}, "c.jsonl"])
    assert [each["share"] for each in figures(dataset)] == [0.25, 0.7, 0.05]
    assert [each["train"] for each in figures(dataset)] == [250, 700, 50]
    times = Counter(record.meta.get("parent", record.origin) for record in dataset.records("train"))
    assert {count for origin, count in times.items() if origin.startswith("b")} == {7}


def test_where_every_source_has_a_share_no_row_is_repeated(make: Make, files: Path) -> None:
    dataset = make(
        sources=[{"path": f"{name}.jsonl", "share": share} for name, share in (("a", 0.2), ("b", 0.5), ("c", 0.3))]
    )
    assert [each["train"] for each in figures(dataset)] == [33, 83, 50]
    assert dataset.report["rows"]["made"] == 0


def test_a_share_of_nothing_is_refused(make: Make, files: Path) -> None:
    (files / "same.jsonl").write_text((files / "b.jsonl").read_text())
    with pytest.raises(DataError, match="no training row is left"):
        make(sources=["b.jsonl", {"path": "same.jsonl", "share": 0.5}])


@pytest.mark.parametrize(
    "sources",
    [
        [{"path": "a", "share": 0.5, "weight": 2}],
        [{"path": "a", "share": 0.6}, {"path": "b", "share": 0.4}, {"path": "c"}],
        [{"path": "a", "sample": {"rows": 3, "share": 0.5}}],
        [{"path": "a", "sample": {}}],
    ],
)
def test_what_contradicts_itself_is_refused(sources: list[dict[str, Any]]) -> None:
    with pytest.raises(ValueError, match=r"share|rows|weight"):
        DataSection.model_validate({"sources": sources})


def test_where_rows_come_from_stands_in_report_and_card(make: Make, files: Path) -> None:
    about = {"url": "https://example.com/faq", "collected": "2026-03", "note": "asked by mail"}
    dataset = make(sources=[{"path": "a.jsonl", "licence": "cc-by-4.0", "about": about}, "b.jsonl"])
    first, second = dataset.report["sources"]
    assert first["about"] == about and first["licence"] == "cc-by-4.0" and "about" not in second
    card = (dataset.folder / "card.md").read_text()
    assert (
        "| a.jsonl | cc-by-4.0 | https://example.com/faq | 2026-03 | 200 | 200 | 0 | 200 | 66.7 % | asked by mail |"
        in card
    )
    assert "| b.jsonl | not stated | not stated | not stated | 100 |" in card
