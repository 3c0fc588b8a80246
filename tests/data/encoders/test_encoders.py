"""Encoders: fitted on training rows only, equal to scikit-learn's, taken back, and kept with dataset and model."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.data.tabular import table

from tuneloop.data.encoders import Encoder
from tuneloop.data.encoding import Apart, Encoding, fit
from tuneloop.errors import DataError
from tuneloop.parts import find
from tuneloop.rows import Chat, Drop, Fields, Labeled, Message, Record, Text
from tuneloop.store import Dataset
from tuneloop.store.kinds import ENCODERS

Make = Callable[..., Dataset]

SIZES = [1.0, 2.5, None, 4.0, 4.0, 100.0]
COLOURS = ["red", "blue", "red", None, "green", "red"]


def encoder(name: str, **options: Any) -> Encoder:
    return find(Encoder, name).model_validate(options)


def fitted(train: list[Record], *encoders: Encoder) -> Encoding:
    return fit(encoders, lambda: train)


def encoded(encoding: Encoding, rows: list[Record]) -> list[dict[str, Any]]:
    return [encoding.content(row.content).values for row in rows]  # type: ignore[union-attr]


finite = st.floats(-1e6, 1e6)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.one_of(st.none(), finite), min_size=2, max_size=30).filter(
        lambda column: any(v is not None for v in column)
    )
)
@pytest.mark.parametrize("options", [{}, {"with_mean": False}, {"with_std": False}])
def test_standardize_is_scikit_learns_and_comes_back(options: dict[str, bool], column: list[float | None]) -> None:
    from sklearn.preprocessing import StandardScaler

    rows = table(size=column)
    encoding = fitted(rows, encoder("standardize", **options))
    got = [row["size"] for row in encoded(encoding, rows)]
    numbers = np.array([[np.nan if value is None else value] for value in column])
    theirs = StandardScaler(**options).fit(numbers)
    if theirs.scale_ is not None:
        (state,) = (state for _, state in encoding.steps)
        assert state["scale"]["size"] == pytest.approx(theirs.scale_[0], rel=1e-6)
    want = theirs.transform(numbers)[:, 0]
    np.testing.assert_allclose(np.array(got, dtype=float), want, rtol=1e-6, atol=1e-6)
    back = [encoding.decode(Fields(row)).values["size"] for row in encoded(encoding, rows)]
    np.testing.assert_allclose(np.array(back, dtype=float), numbers[:, 0], rtol=1e-9, atol=1e-6)


@pytest.mark.parametrize("strategy", ["mean", "median", "most_frequent"])
def test_impute_is_scikit_learns(strategy: str) -> None:
    from sklearn.impute import SimpleImputer

    rows = table(size=SIZES, other=[None, 3.0, 3.0, 1.0, 1.0, 9.0])
    got = [list(row.values()) for row in encoded(fitted(rows, encoder("impute", strategy=strategy)), rows)]
    numbers = np.array([[np.nan if v is None else v for v in row.content.values.values()] for row in rows])  # type: ignore[union-attr]
    np.testing.assert_array_equal(np.array(got), SimpleImputer(strategy=strategy).fit_transform(numbers))


def test_impute_fills_numbers_by_median_and_the_rest_by_the_most_frequent() -> None:
    rows = table(size=SIZES, colour=COLOURS, count=[1, 2, None, 4, 4, 4])
    encoding = fitted(rows, encoder("impute", add_indicator=True))
    got = encoded(encoding, rows)
    assert (got[2]["size"], got[3]["colour"], got[2]["count"]) == (4.0, "red", 4)
    assert (got[2]["missing_size"], got[3]["missing_size"]) == (1, 0)
    assert [encoding.decode(Fields(row)).values for row in got] == [row.content.values for row in rows]  # type: ignore[union-attr]
    constant = fitted(rows, encoder("impute", columns=("colour",), strategy="constant", fill_value="none"))
    assert encoded(constant, rows)[3]["colour"] == "none"


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"drop": "first"},
        {"drop": "if_binary"},
        {"min_frequency": 2},
        {"min_frequency": 0.3},
        {"handle_unknown": "infrequent_if_exist", "min_frequency": 2},
    ],
)
def test_one_hot_is_scikit_learns_names_order_and_all(options: dict[str, Any]) -> None:
    from sklearn.preprocessing import OneHotEncoder

    train = table(colour=COLOURS, size=["s", "m", "s", "m", "s", "m"])
    rows = [*train, *table(colour=["violet"], size=["s"])]
    got = encoded(fitted(train, encoder("one_hot", **options)), rows)
    theirs = OneHotEncoder(**{"handle_unknown": "ignore", **options}, sparse_output=False)
    cells = [np.array([list(r.content.values.values()) for r in some], dtype=object) for some in (train, rows)]  # type: ignore[union-attr]
    want = theirs.fit(cells[0]).transform(cells[1])
    assert list(got[0]) == list(theirs.get_feature_names_out(["colour", "size"]))
    np.testing.assert_array_equal(np.array([list(row.values()) for row in got]), want)


def test_one_hot_comes_back_and_says_what_it_does_not_know() -> None:
    train = table(colour=COLOURS, n=[1, 2, 3, 4, 5, 6])
    for options in ({}, {"drop": "first"}):
        encoding = fitted(train, encoder("one_hot", **options))
        back = [encoding.decode(Fields(row)).values for row in encoded(encoding, train)]
        assert back == [{"n": row.content.values["n"], "colour": row.content.values["colour"]} for row in train]  # type: ignore[union-attr]
    strict = fitted(train, encoder("one_hot", handle_unknown="error"))
    (new,) = table(colour=["violet"], n=[1])
    done = strict.apply(new)
    assert isinstance(done, Drop)
    assert done.reason == "`colour` has a category that training has not"


def quartiles(x: Any) -> tuple[float, float]:
    low, high = np.quantile(x, [0.25, 0.75])
    return low - 1.5 * (high - low), high + 1.5 * (high - low)


@pytest.mark.parametrize(
    ("options", "bounds"),
    [
        ({"factor": 1.5}, quartiles),
        ({"method": "zscore", "factor": 1}, lambda x: (x.mean() - x.std(), x.mean() + x.std())),
        ({"method": "quantile", "quantile": 0.1}, lambda x: tuple(np.quantile(x, [0.1, 0.9]))),
    ],
)
def test_clip_holds_numbers_to_bounds_of_training(options: dict[str, Any], bounds: Callable[[Any], Any]) -> None:
    numbers = np.array([3.0, 1.0, 4.0, 1.5, 9.0, 2.6, 250.0])
    train = table(size=numbers.tolist(), flag=[0, 1, 0, 1, 0, 1, 50])
    encoding = fitted(train, encoder("clip", **options))
    low, high = bounds(numbers)
    got = [row["size"] for row in encoded(encoding, [*train, *table(size=[-900.0, None], flag=[0, 0])])]
    np.testing.assert_allclose(np.array(got[:-1], dtype=float), np.clip([*numbers, -900.0], low, high))
    assert got[-1] is None
    assert encoded(encoding, train)[-1]["flag"] == 50  # three sizes only: no outliers
    emptied = fitted(train, encoder("clip", **options, action="empty"), encoder("impute"))
    assert encoded(emptied, train)[-1]["size"] == pytest.approx(np.median([v for v in numbers if low <= v <= high]))


def test_each_encoder_is_fitted_on_what_the_one_before_writes_and_all_is_read_back(tmp_path: Path) -> None:
    train = table(size=SIZES, colour=COLOURS)
    encoding = fitted(train, encoder("impute"), encoder("standardize"), encoder("one_hot"))
    assert sum(row["size"] for row in encoded(encoding, train)) == pytest.approx(0)
    assert list(encoded(encoding, train)[0]) == ["size", "colour_blue", "colour_green", "colour_red"]
    encoding.write(tmp_path / "encoders.json")
    again = Encoding.read(tmp_path / "encoders.json")
    assert encoded(again, train) == encoded(encoding, train)
    (tmp_path / "encoders.json").write_text('[{"encoder": {"nothing": {}}, "state": {}}]')
    with pytest.raises(DataError, match="cannot be read"):
        Encoding.read(tmp_path / "encoders.json")


def test_a_column_that_is_not_there_or_does_not_fit_is_refused_with_a_fix() -> None:
    train = table(size=SIZES, colour=COLOURS)
    with pytest.raises(DataError, match="no row has the column 'weight'"):
        fitted(train, encoder("standardize", columns=("weight",)))
    with pytest.raises(DataError, match="'colour' does not fit standardize"):
        fitted(train, encoder("standardize", columns=("colour",)))
    with pytest.raises(DataError, match="impute finds no row of a table"):
        fitted([Record.of(Text("a"), origin="a:1")], encoder("impute"))
    (odd,) = table(size=["big"], colour=["red"])
    assert isinstance(fitted(train, encoder("standardize")).apply(odd), Drop)


@pytest.mark.parametrize("wrong", [{"strategy": "constant"}, {"fill_value": 3}])
def test_a_constant_and_its_value_belong_together(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="belong together"):
        encoder("impute", **wrong)


def test_rows_are_rendered_by_lines_or_by_a_template_in_a_sandbox() -> None:
    row = Fields({"town": "Bend", "size": 2.0, "rate": 0.123456789, "gap": None, "open": True}, 3)
    state: dict[str, Any] = {}
    assert encoder("render").encode(row, state) == Labeled("town: Bend\nsize: 2\nrate: 0.123457\nopen: yes", 3)
    assert encoder("render", to="text", columns=("size", "town")).encode(row, state) == Text("size: 2\ntown: Bend")
    asks = encoder("render", to="chat", template="How many in {{ town }}{{ gap }} ({{ row['size'] }})?")
    assert asks.encode(row, state) == Chat((Message("user", "How many in Bend (2)?"), Message("assistant", "3")))
    assert encoder("render", digits=2).encode(Fields({"a": 571234.56, "b": 0.0123, "c": 1e20}, "x"), state) == Labeled(
        "a: 571235\nb: 0.012\nc: 1e+20", "x"
    )
    with pytest.raises(ValidationError, match="not sound in line 1"):
        encoder("render", template="{{ town")
    evil = encoder("render", template="{{ ''.__class__.__mro__[1].__subclasses__() }}")
    unknown = encoder("render", template="{{ city }}")
    for bad in (evil, unknown):
        done = Encoding(((bad, state),)).apply(Record.of(row, origin="t:2"))
        assert isinstance(done, Drop)
        assert done.reason == "the template fails on the row"
    done = Encoding(((encoder("render"), state),)).apply(Record.of(Fields({"town": "Bend"}), origin="t:2"))
    assert isinstance(done, Drop)
    assert done.reason == "the row has no label to learn"


def test_two_rows_that_are_written_alike_never_stand_on_two_sides() -> None:
    train = table(size=[1.0, 4.0, 4.0])
    apart = Apart(fitted(train, encoder("impute")), train)
    (gap,) = table(size=[None])
    done = apart.write("test", gap)
    assert isinstance(done, Drop)
    assert done.reason == "the encoders write it like a row of train"
    assert isinstance(apart.write("test", table(size=[7.0])[0]), Record)


def rows_of(count: int) -> list[dict[str, Any]]:
    return [
        {"id": i, "size": None if i % 7 == 3 else round(math.sin(i) * 10 + i / 50, 3), "kind": "abc"[i % 3], "y": i % 2}
        for i in range(count)
    ]


SECTION: dict[str, Any] = {
    "sources": [{"path": "rows.jsonl", "format": {"table": {"label": "y", "ignore": ["id"]}}}],
    "transforms": [],
    "encoders": ["impute", "standardize", "one_hot"],
    "split": {"validation": 0.2, "test": 0.2},
}


def test_held_out_rows_tell_the_encoders_nothing(make: Make) -> None:
    plain = make(rows_of(300), **{**SECTION, "encoders": []})
    dataset = make(rows_of(300), **SECTION)
    train = [record.content.values for record in plain.records("train")]  # type: ignore[union-attr]
    sizes = sorted(row["size"] for row in train if row.get("size") is not None)
    state = json.loads((dataset.folder / ENCODERS).read_text())
    assert state[0]["state"]["fills"]["size"] == pytest.approx(np.median(sizes))
    filled = [row["size"] if row.get("size") is not None else np.median(sizes) for row in train]
    assert state[1]["state"]["mean"]["size"] == pytest.approx(np.mean(filled))
    assert state[1]["state"]["scale"]["size"] == pytest.approx(np.std(filled))
    by_origin = {record.origin: record for side in plain.splits for record in plain.records(side)}
    encoding = Encoding.read(dataset.folder / ENCODERS)
    for side in ("validation", "test"):
        for record in dataset.records(side):
            assert record.content == encoding.content(by_origin[record.origin].content)
    report = dataset.report
    assert report["rows"]["read"] == report["rows"]["kept"] + report["rows"]["dropped"] == 300


def test_the_column_of_the_split_stays_beside_a_row_that_loses_it(make: Make) -> None:
    split = {"by": "group", "column": "kind", "validation": 0.3, "test": 0.3}
    dataset = make(rows_of(60), **{**SECTION, "split": split})
    assert {record.meta["other"]["kind"] for record in dataset.records("train")} <= {"a", "b", "c"}
    assert dataset.report["certificate"]["clean"]


@pytest.mark.parametrize("where", ["transforms", "encoders"])
def test_rows_that_share_the_names_of_their_columns_are_no_near_duplicates(make: Make, where: str) -> None:
    dataset = make(rows_of(60), **{**SECTION, "encoders": [], where: ["render"]})
    assert dataset.report["kinds"] == {"labeled": 60}
    assert dataset.report["split"]["joined"] == 0
    assert dataset.report["certificate"]["clean"]
    assert all(dataset.report["splits"].values())
