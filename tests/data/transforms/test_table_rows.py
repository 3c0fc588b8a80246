"""Rows of tables: moved back, taken apart and reconciled only where the evidence is clear; measured on real pairs."""

from __future__ import annotations

import csv
import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.data.tabular import cells, of_file, step, table, through

from tuneloop.data.transforms import Place, Transform
from tuneloop.rows import Drop, Fields, Record

PEOPLE: dict[str, list[Any]] = {
    "name": [f"Ann {letter}" for letter in "abcdefghijklmnopqrst"],
    "born": [str(1950 + i) for i in range(20)],
    "joined": [f"2024-01-{i:02}" for i in range(1, 21)],
    "state": ["OR", "CA"] * 10,
    "pay": [f"{i}00.50" for i in range(1, 21)],
}


def test_a_row_that_lost_a_cell_is_moved_back_and_its_gap_opened() -> None:
    rows = table(**PEOPLE)
    lost = rows[4].having(Fields(dict(zip(PEOPLE, ["1954", "2024-01-05", "OR", "500.50", ""], strict=True))))
    got = through([*rows[:4], lost, *rows[5:]], step("shifted"))
    assert isinstance(got[4], Record)
    assert got[4].content == Fields(dict(zip(PEOPLE, [None, "1954", "2024-01-05", "OR", "500.50"], strict=True)))
    assert got[:4] + got[5:] == rows[:4] + rows[5:]


def test_a_row_with_an_empty_cell_too_many_is_moved_back() -> None:
    rows = table(**PEOPLE)
    moved = rows[4].having(Fields(dict(zip(PEOPLE, ["Ann e", "", "1954", "2024-01-05", "OR"], strict=True))))
    (got,) = [item for item in through([*rows, moved], step("shifted")) if item.origin == moved.origin][1:]
    assert isinstance(got, Record)
    assert got.content == Fields(dict(zip(PEOPLE, ["Ann e", "1954", "2024-01-05", "OR", None], strict=True)))


def test_a_row_that_could_be_moved_back_in_two_ways_is_set_aside() -> None:
    columns = {"a": ["x", "y"] * 10, "b": ["1"] * 20, "c": ["2"] * 20, "d": ["p", "q"] * 10, "e": ["2024-01-01"] * 20}
    rows = table(**columns)
    lost = rows[4].having(Fields(dict(zip(columns, ["x", "7", "p", "2024-01-01", None], strict=True))))
    got = through([*rows[:4], lost, *rows[5:]], step("shifted"))
    assert isinstance(got[4], Drop) or got[-1] == got[4]
    (aside,) = [item for item in got if isinstance(item, Drop)]
    assert aside.reason == "its cells moved to other columns, in an unclear way"


def test_planted_shifts_in_a_real_table_are_never_mended_wrongly(real: Path) -> None:
    rows = list(of_file(real / "tables/repair_beers/dirty.csv", 1200))
    plant, planted = random.Random(7), {}
    for i in plant.sample(range(len(rows)), 60):
        content = rows[i].content
        assert isinstance(content, Fields)
        names, was = list(content.values), list(content.values.values())
        place = plant.randrange(len(was) - 2)
        now = [*was[:place], *was[place + 1 :], ""] if plant.random() < 0.5 else [*was[:place], "", *was[place:-1]]
        planted[rows[i].origin] = (was, place)
        rows[i] = rows[i].having(Fields(dict(zip(names, now, strict=True))))
    outcome: Counter[str] = Counter()
    for before, after in zip(rows, step("shifted").run(rows), strict=True):
        if before.origin not in planted:
            assert after == before
        elif isinstance(after, Drop):
            outcome["aside"] += 1
        elif after != before:
            was, place = planted[before.origin]
            now = list(after.content.values.values())  # type: ignore[union-attr]
            assert [c or "" for i, c in enumerate(now[:-1]) if i != place] == [
                c for i, c in enumerate(was[:-1]) if i != place
            ]
            outcome["mended"] += 1
    assert outcome["mended"] + outcome["aside"] >= 25


def test_a_town_that_swallowed_its_state_is_taken_apart_only_where_the_state_is_empty() -> None:
    town = ["Bend", "Salem", "Portland OR", "Boise ID", "Reno NV", "New York"]
    state = ["OR", "OR", "", None, "", ""]
    rows = table(town=[*town, *["Boise", "Reno"] * 2], state=[*state, *["ID", "NV"] * 2])
    got = through(rows, step("run_together"))
    assert cells(got, "town")[:6] == ["Bend", "Salem", "Portland", "Boise", "Reno", "New York"]
    assert cells(got, "state")[:6] == ["OR", "OR", "OR", "ID", "NV", ""]
    assert through(rows, step("run_together", rows=4)) == rows


def test_what_a_column_means_is_not_taken_apart() -> None:
    rows = table(
        beer=["Dark Stout", "Old Stout", "Red Ale", "Big Stout", "Pale Ale", "Tall Ale"],
        style=["Stout", "Stout", "Ale", "", "", ""],
    )
    assert through([*rows, *table(beer=["Wee Ale"], style=["Ale"])], step("run_together")) == [
        *rows,
        *table(beer=["Wee Ale"], style=["Ale"]),
    ]


def test_a_clear_majority_repairs_and_fills_and_a_draw_changes_nothing() -> None:
    rows = table(zip=["97701"] * 4 + ["10001"] * 2, town=["Bend", "BEND ", "Bent", "", "Salem", "Albany"])
    vote = step("reconcile", by=("zip",), columns=("town",), share=0.6)
    assert cells(through(rows, vote), "town") == ["Bend", "Bend", "Bend", "Bend", "Salem", "Albany"]
    assert vote.found()["columns"]["town"] == {"changed": 2, "filled": 1, "left_open": 1, "settled": 1, "things": 2}
    strict = step("reconcile", by=("zip",), columns=("town",), share=0.9, fill=False)
    assert through(rows, strict) == rows


def test_sources_that_copy_each_other_have_one_vote() -> None:
    flights = [str(i) for i in range(30)]
    copied = [f"{i % 12 + 1}:10 p.m." for i in range(30)]
    true = [f"{i % 12 + 1}:{'20' if i % 3 == 0 else '10'} p.m." for i in range(30)]
    gaps = [{4, 5}, {7, 8}, {10, 11}]  # who looks for himself has gaps of his own
    told = [("one", copied), ("two", copied), ("three", copied), ("four", copied)]
    told += [(f"own{n}", [None if i in gap else clock for i, clock in enumerate(true)]) for n, gap in enumerate(gaps)]  # type: ignore[misc]
    rows = table(
        flight=flights * len(told),
        site=[site for site, _ in told for _ in flights],
        leaves=[clock for _, column in told for clock in column],
    )
    vote = step("reconcile", by=("flight",), columns=("leaves",), source="site")
    assert cells(through(rows, vote), "leaves") == true * len(told)
    assert vote.found()["feeds"] == [["four", "one", "three", "two"]]


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(["a", "b ", "c", "d"]),
            st.one_of(
                st.none(),
                st.booleans(),
                st.integers(-(10**18), 10**18),
                st.floats(allow_nan=False, allow_infinity=False),
                st.text(max_size=12),
                st.sampled_from(
                    ["N/A", "ERROR", "1,234", "13/04/2024", "03/04/2024", "45356", "7:10 p.m.", "5 kg", "1e400"]
                ),
            ),
        ),
        max_size=12,
    )
)
@pytest.mark.parametrize(
    "each",
    [
        step("trim"),
        step("missing"),
        step("numbers"),
        step("numbers", columns=("a", "c")),
        step("dates"),
        step("dates", columns=("a", "c")),
        step("shifted"),
        step("run_together"),
        step("rules", ranges={"a": [0, 9], "c": ["2020-01-01", None]}, unique=("a",)),
        step("reconcile", by=("a",), columns=("c",)),
        step("reconcile", by=("a",), columns=("c",), source="d"),
        step("render", to="text"),
    ],
    ids=lambda each: each.name,
)
def test_whatever_a_table_holds_every_row_comes_out_once_and_twice_the_same(each: Transform, rows: list[Any]) -> None:
    records = [Record.of(Fields(row), origin=f"t.csv:{i}") for i, row in enumerate(rows)]
    got = list(each.run(records))
    assert sorted(item.origin for item in got) == sorted(record.origin for record in records)
    assert list(each.at(Place()).run(records)) == got
    assert json.dumps(each.found())


def repaired(real: Path, name: str, steps: list[Any], half: int | None) -> tuple[float, float, int]:
    """Precision and recall by cells of a repair against the clean table, and how many cells are wrong."""
    folder = real / "tables" / name
    dirty, clean = (
        list(csv.reader((folder / f"{which}.csv").open(encoding="utf-8", newline=""))) for which in ("dirty", "clean")
    )
    got = through(of_file(folder / "dirty.csv"), *steps)
    wrong = changed = right = 0
    for i, (record, was, is_) in enumerate(zip(got, dirty[1:], clean[1:], strict=True)):
        if half is not None and i % 2 != half:
            continue
        assert isinstance(record, Record)
        for new, old, true in zip(record.content.values.values(), was, is_, strict=True):  # type: ignore[union-attr]
            wrong += old != true
            if not same(new, old) or (old != true and same(new, true)):
                changed += 1
                right += same(new, true)
    return right / changed, right / wrong, wrong


def same(cell: Any, text: str) -> bool:
    """Whether a cell is what a clean table says; 12.0 is 12, and nothing is nothing."""
    if ("" if cell is None else str(cell)) == text:
        return True
    try:
        return float(cell) == float(text)
    except (TypeError, ValueError):
        return False


def test_the_repair_of_beers_finds_every_wrong_cell(real: Path) -> None:
    steps = [step("trim"), step("missing"), step("numbers"), step("run_together")]
    precision, recall, wrong = repaired(real, "repair_beers", steps, None)
    assert wrong == 4362
    assert recall == 1
    assert precision > 0.999


def test_the_repair_of_flights_is_right_nine_times_of_ten(real: Path) -> None:
    times = ("sched_dep_time", "act_dep_time", "sched_arr_time", "act_arr_time")
    steps = [step("trim"), step("missing"), step("reconcile", by=("flight",), columns=times, source="src")]
    precision, recall, wrong = repaired(real, "repair_flights", steps, None)
    assert wrong == 4920
    assert precision > 0.9
    assert recall > 0.6
