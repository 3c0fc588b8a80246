"""The format of tables: taken as given, with a label beside, and only where nothing else fits."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tuneloop.data.formats import Format
from tuneloop.data.recognise import recognise
from tuneloop.errors import DataError, RecordError
from tuneloop.parts import find
from tuneloop.rows import Fields, Record
from tuneloop.rows.record import asked
from tuneloop.store import Dataset
from tuneloop.store.parquet import read_records, write_records

Make = Callable[..., Dataset]

ROW = {"age": "39", "town": " Bend", "pay": ""}


def table(**options: Any) -> Format:
    return find(Format, "table").model_validate(options)


def test_cells_are_kept_as_given_and_the_label_stands_beside_them() -> None:
    assert table().content(ROW) == Fields({"age": "39", "town": " Bend", "pay": ""})
    assert table(label="town", ignore=["age"]).content(ROW) == Fields({"pay": ""}, "Bend")


def test_values_of_typed_tables_become_plain_cells() -> None:
    row = {
        "day": datetime.date(2024, 3, 5),
        "at": datetime.datetime(2024, 3, 5, 7, 10),
        "whole": Decimal("3.00"),
        "part": Decimal("3.25"),
        "none": float("nan"),
        "far": float("inf"),
        "yes": True,
    }
    assert table().content(row).values == {  # type: ignore[union-attr]
        "day": "2024-03-05",
        "at": "2024-03-05T07:10:00",
        "whole": 3,
        "part": 3.25,
        "none": None,
        "far": None,
        "yes": True,
    }


@pytest.mark.parametrize("row", [{"a": "1", "label": " N/A"}, {"a": "1"}, {"a": [1], "label": "x"}])
def test_a_row_without_its_label_or_with_a_list_is_refused_with_a_fix(row: dict[str, Any]) -> None:
    with pytest.raises(RecordError) as refused:
        table(label="label").content(row)
    assert refused.value.problems[0].fix


def test_a_table_is_recognised_only_in_files_of_tables_and_only_if_nothing_else_fits() -> None:
    assert recognise([ROW], None, "t.csv", table=True).format.name == "table"
    with pytest.raises(DataError, match="no known format"):
        recognise([ROW], None, "t.jsonl")
    rows = [ROW] * 99 + [{"text": "to be", "label": "good", "id": "7"}]
    assert recognise(rows, None, "t.csv", table=True).format.name == "labeled"
    for odd in ({"a": "1", "b": "2"}, {"39": "1", "Bend": "2", "x": "3"}, {"a": ["1"], "b": "2", "c": "3"}):
        with pytest.raises(DataError, match="no known format"):
            recognise([odd], None, "t.csv", table=True)


def test_a_strange_row_of_another_format_is_set_aside_and_no_table(make: Make) -> None:
    rows = [{"text": f"to be {i}", "label": "good"} for i in range(9)]
    dataset = make([*rows, {"a": "1", "b": "2", "c": "3"}], transforms=[])
    assert dataset.report["kinds"] == {"labeled": 9}
    assert dataset.report["rows"]["dropped"] == 1


def test_a_csv_file_becomes_rows_of_a_table_and_comes_back_from_the_dataset(make: Make, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("id,age,town\n1,39,Bend\n2,,Salem\n3,50\n")
    source = {"path": "t.csv", "format": {"table": {"label": "town", "ignore": ["id"]}}}
    dataset = make(sources=[source])
    records = list(dataset.records("train"))
    assert [record.content for record in records] == [Fields({"age": "39"}, "Bend"), Fields({"age": ""}, "Salem")]
    assert [record.meta for record in records] == [{"other": {"id": "1"}}, {"other": {"id": "2"}}]
    assert dataset.report["dropped"][0]["reason"] == "the row has more or fewer cells than the header"
    again = make(sources=[str(dataset.folder / "train.parquet")])
    assert [record.content for record in again.records("train")] == [record.content for record in records]


def test_parquet_holds_cells_and_label_for_other_tools(tmp_path: Path) -> None:
    import pandas

    record = Record.of(Fields({"age": 39, "town": "Bend", "gap": None, "rate": 0.5}, True), origin="t.csv:2")
    write_records(tmp_path / "t.parquet", [record])
    assert list(read_records(tmp_path / "t.parquet")) == [record]
    row = pandas.read_parquet(tmp_path / "t.parquet").iloc[0]
    assert json.loads(row["fields"]) == {"age": 39, "town": "Bend", "gap": None, "rate": 0.5}
    assert row["label"] == "True"


def test_what_a_row_asks_is_its_cells_without_the_label() -> None:
    assert asked(Fields({"a": " x "}, "1")) == asked(Fields({"a": "x"}, "2")) == {"a": "x"}
    assert asked(Fields({"a": "x"})) != asked(Fields({"b": "x"}))


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("dirty_cafe_sales/dirty_cafe_sales.csv", 10_004),
        ("marketing_campaign/marketing_campaign.csv", 2_240),
        ("repair_flights/dirty.csv", 2_376),
    ],
)
def test_real_tables_are_recognised_row_by_row(real: Path, make: Make, name: str, rows: int) -> None:
    dataset = make(
        folder=real / "tables", sources=[name], transforms=[], split={"validation": 0, "test": 0, "near": None}
    )
    (file,) = dataset.report["sources"][0]["files"]
    assert (file["verdict"], file["read"], file["taken"]) == ("table", rows, rows)
