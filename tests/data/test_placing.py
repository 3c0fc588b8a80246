"""Placing: kin stay together, nothing that is added moves an old row, and shares are kept as the rule promises."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tuneloop.data.certificate import certify
from tuneloop.data.prepare import prepare
from tuneloop.data.section import DataSection, Split
from tuneloop.data.split import side
from tuneloop.errors import DataError
from tuneloop.rows import Text
from tuneloop.store import Dataset, Store

Make = Callable[..., Dataset]
WORDS = "red blue shirt return order late refund parcel broken box card lost when how where my the a please".split()  # noqa: SIM905
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "text": st.lists(st.sampled_from(WORDS), min_size=1, max_size=9).map(" ".join),
            "label": st.sampled_from("abc"),
            "user": st.sampled_from(["ann", "bob", "cyd", "dan", "eve"]),
            "day": st.integers(1, 28).map(lambda day: f"2024-02-{day:02d}"),
        }
    ),
    min_size=1,
    max_size=40,
)
SPLITS = [
    {},
    {"near": None},
    {"by": "stratified"},
    {"by": "group", "column": "user"},
    {"by": "time", "column": "day", "after": {"validation": "2024-02-15", "test": "2024-02-22"}},
]


def prepared(rows: list[dict[str, Any]], split: dict[str, Any], **section: Any) -> Dataset | None:
    """The dataset of some rows; None where none is left to train on."""
    folder = Path(tempfile.mkdtemp())
    (folder / "rows.jsonl").write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    given = {"sources": ["rows.jsonl"], "split": {"validation": 0.2, "test": 0.2, **split}, "processes": 1, **section}
    try:
        return prepare(DataSection.model_validate(given), Store(folder / "store"), seed=1, folder=folder)
    except DataError as error:
        assert "no row is left to train on" in error.problems[0].what
        return None


def sides(dataset: Dataset) -> dict[str, str]:
    return {record.origin: split for split in dataset.splits for record in dataset.records(split)}


@pytest.mark.parametrize("split", SPLITS, ids=str)
@settings(max_examples=12, deadline=None)
@given(ROWS, ROWS)
def test_rows_that_are_added_behind_move_no_old_row_and_nothing_leaks(
    split: dict[str, Any], old: list[dict[str, Any]], new: list[dict[str, Any]]
) -> None:
    before, after = prepared(old, split), prepared(old + new, split)
    for dataset in (before, after):
        if dataset is not None:
            assert certify(dataset)["clean"]
            rows = dataset.report["rows"]
            assert rows["read"] == rows["kept"] + rows["dropped"]
    if before is not None and after is not None:
        assert sides(before).items() <= sides(after).items()


@settings(max_examples=25, deadline=None)
@given(ROWS, st.randoms())
def test_without_near_texts_the_order_of_rows_makes_no_difference(rows: list[dict[str, Any]], random: Any) -> None:
    shuffled = random.sample(rows, len(rows))
    one, other = prepared(rows, {"near": None}), prepared(shuffled, {"near": None})
    if one is not None and other is not None:
        found = [{r.id: split for split in d.splits for r in d.records(split)} for d in (one, other)]
        assert found[0] == found[1]


def test_a_near_row_joins_its_kin_and_one_between_two_sides_is_set_aside_with_both_named(make: Make) -> None:
    text = "please tell me how and when the {} parcel that was ordered last week will arrive at my {} address in town"
    one, other = text.format("small", "home"), text.format("large", "office")
    shares = Split(validation=0.5, test=0)
    seed = next(seed for seed in range(99) if side(Text(one), shares, seed) != side(Text(other), shares, seed))
    between = text.format("small", "office")
    dataset = make(
        [{"text": t} for t in (one, other, "x", between, one.upper())],
        split={**shares.model_dump(), "near": 0.9},
        seed=seed,
    )
    placed = sides(dataset)
    assert placed["rows.jsonl:5"] == placed["rows.jsonl:1"]
    (drop,) = [drop for drop in dataset.dropped() if drop.step == "split"]
    assert drop.origin == "rows.jsonl:4"
    assert drop.reason == "its kin stand on two sides of the split"
    assert "rows.jsonl:1 is" in drop.detail and "rows.jsonl:2 is" in drop.detail


def test_like_keeps_the_sides_of_an_earlier_version_whatever_stands_in_front(tmp_path: Path, store: Store) -> None:
    def run(rows: list[str], **split: Any) -> Dataset:
        (tmp_path / "r.jsonl").write_text("".join(json.dumps({"text": row}) + "\n" for row in rows))
        section = DataSection.model_validate(
            {"sources": ["r.jsonl"], "split": {"validation": 0.3, "test": 0.3, **split}}
        )
        return prepare(section, store, seed=1, folder=tmp_path)

    old = [f"{word} " + " ".join(WORDS[i % 17 : i % 17 + 3] + WORDS[i % 5 : i % 5 + 2]) for i, word in enumerate(WORDS)]
    near = [row + " today" for row in old]
    before = run(old)
    known = {record.id: split for split in before.splits for record in before.records(split)}
    after = run(near + old, like=before.id)
    found = {record.id: split for split in after.splits for record in after.records(split)}
    assert known.items() <= found.items()
    assert after.parents == {"like": before.id}


def test_stratified_keeps_every_label_in_its_shares_to_within_one_row(make: Make) -> None:
    rows = [{"text": f"{WORDS[i % 7]} {i} {WORDS[i % 11]}", "label": "abc"[min(i % 10, 2)]} for i in range(400)]
    for length in (11, 57, 203, 400):
        split = {"by": "stratified", "validation": 0.15, "test": 0.1, "near": None}
        dataset = make(rows[:length], split=split)
        for label in dataset.report["split"]["labels"]:
            count = sum(label[side] for side in ("train", "validation", "test"))
            assert abs(label["test"] - 0.1 * count) <= 1
            assert abs(label["validation"] - 0.15 * count) <= 1


def test_labels_with_too_few_rows_are_told(make: Make) -> None:
    rows = [{"text": f"{i}", "label": "many" if i else "once"} for i in range(60)]
    dataset = make(rows, split={"by": "stratified", "validation": 0.1, "test": 0.1})
    assert "1 labels have too few rows for every split: once" in dataset.report["notes"]


def test_by_time_the_newest_rows_are_the_test_and_rows_of_one_time_stay_together(make: Make) -> None:
    days = [20, 3, 3, 9, 9, 9, 1, 28, 14, 2]
    rows = [{"text": f"row {WORDS[i]}", "day": f"2024-03-{day:02d}"} for i, day in enumerate(days)]
    dataset = make([*rows, {"text": "no time"}], split={"by": "time", "column": "day", "validation": 0.3, "test": 0.2})
    found = {split: [r.meta["other"]["day"] for r in dataset.records(split)] for split in dataset.splits}
    assert found["test"] == ["2024-03-20", "2024-03-28"]
    assert found["train"] + found["validation"] == sorted(found["train"] + found["validation"])
    assert not set(found["train"]) & set(found["validation"])
    assert dataset.report["split"]["borders"]["test"] == "2024-03-20T00:00:00Z"
    (drop,) = dataset.dropped()
    assert (drop.reason, drop.origin) == ("the row has no time", "rows.jsonl:11")
    assert any("fix them with after:" in note for note in dataset.report["notes"])


def test_a_time_that_can_be_read_in_two_ways_is_refused(make: Make) -> None:
    with pytest.raises(DataError, match="may have the day or the month first") as caught:
        make([{"text": "a", "day": "03/04/2024"}], split={"by": "time", "column": "day"})
    assert caught.value.problems[0].where == "rows.jsonl:1, day"
    assert "2024-03-04" in caught.value.problems[0].fix


@pytest.mark.parametrize("by", ["group", "time"])
def test_a_column_that_no_row_has_is_refused_with_those_there_are(make: Make, by: str) -> None:
    with pytest.raises(DataError, match="no row has the column 'usr'") as caught:
        make([{"text": "a", "user": "ann"}], split={"by": by, "column": "usr"})
    assert "user" in caught.value.problems[0].fix


def test_conversations_that_begin_alike_stand_together(make: Make) -> None:
    rows = []
    for i in range(30):
        turns = [{"role": "user", "content": f"{WORDS[i % 19]} {i}"}, {"role": "assistant", "content": "a"}]
        more = [{"role": "user", "content": f"and {i}"}, {"role": "assistant", "content": f"b {i}"}]
        rows += [{"messages": turns}, {"messages": turns + more}]
    split = {"by": "group", "column": "conversation", "validation": 0.3, "test": 0.3, "near": None}
    placed = sides(make(rows, split=split))
    assert all(placed[f"rows.jsonl:{2 * i + 1}"] == placed[f"rows.jsonl:{2 * i + 2}"] for i in range(30))
    assert len(set(placed.values())) == 3


@pytest.mark.parametrize(
    ("split", "message"),
    [
        ({"by": "group"}, "needs column"),
        ({"column": "user"}, "column is read by"),
        ({"after": {"test": "2024-01-01"}}, "needs by: time"),
        ({"by": "time", "column": "t", "after": {"validation": "2024-02-01", "test": "2024-01-01"}}, "before test"),
        ({"by": "time", "column": "t", "after": {"test": "01/02/2024"}}, "day or the month"),
    ],
)
def test_options_that_cannot_act_are_refused(split: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Split.model_validate(split)


def test_oversampled_rows_are_in_train_only_and_name_their_parent(make: Make) -> None:
    rows = [{"text": f"{WORDS[i % 13]} {i}", "label": "rare" if i % 5 == 0 else "often"} for i in range(100)]
    dataset = make(rows, split={"validation": 0.2, "test": 0.2, "near": None}, balance="oversample")
    train = list(dataset.records("train"))
    assert len({record.origin for record in train}) == len(train)
    assert len(set(Counter(record.content.label for record in train).values())) == 1  # type: ignore[union-attr]
    made = [record for record in train if "parent" in record.meta]
    origins = {record.origin for record in train if "parent" not in record.meta}
    assert made and {record.meta["parent"] for record in made} <= origins
    assert all(record.meta["made_by"] == "oversample" for record in made)
    counts = dataset.report["rows"]
    assert counts == {"read": 100, "made": len(made), "kept": 100 + len(made), "dropped": 0}
    assert dataset.report["certificate"]["clean"]


def test_undersampled_rows_are_set_aside_and_the_choice_follows_the_seed(make: Make) -> None:
    rows = [{"text": f"{i}", "label": "rare" if i % 10 == 0 else "often"} for i in range(100)]
    balance = {"undersample": {"ratio": 0.5}}
    dataset = make(rows, balance=balance)
    assert Counter(r.content.label for r in dataset.records("train")) == {"often": 20, "rare": 10}  # type: ignore[union-attr]
    assert {drop.reason for drop in dataset.dropped()} == {"its label has more rows than the balance takes"}
    again = make(rows, balance=balance, seed=7)
    assert {r.id for r in dataset.records("train")} != {r.id for r in again.records("train")}


def test_balancing_by_a_column_that_is_not_there_is_refused(make: Make) -> None:
    with pytest.raises(DataError, match="no training row has the column 'intent'"):
        make([{"text": "a", "label": "x"}], balance={"oversample": {"column": "intent"}})
