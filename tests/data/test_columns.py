"""Columns that options name: one that no row has is told, with the option and the nearest that is there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tuneloop.data.section import DataSection
from tuneloop.data.transforms import Transform
from tuneloop.errors import DataError
from tuneloop.parts import find
from tuneloop.store import Dataset

Make = Callable[..., Dataset]
ROWS = "Item,Qty,Datum,Payment Method\n" + "".join(f"i{n},{n},2024-03-{n % 28 + 1:02},card\n" for n in range(40))


@pytest.mark.parametrize(
    ("transform", "option", "given", "near"),
    [
        ({"rules": {"ranges": {"Quty": [0, 9]}}}, "ranges", "Quty", "Qty"),
        ({"rules": {"allowed": {"item": ["a"]}}}, "allowed", "item", "Item"),
        ({"rules": {"required": ["Itm"]}}, "required", "Itm", "Item"),
        ({"rules": {"unique": ["Item", "Dtum"]}}, "unique", "Dtum", "Datum"),
        ({"dates": {"columns": ["Datm"]}}, "columns", "Datm", "Datum"),
        ({"dates": {"order": {"Datm": "dmy"}}}, "order", "Datm", "Datum"),
        ({"numbers": {"columns": ["Qy"]}}, "columns", "Qy", "Qty"),
        ({"reconcile": {"by": ["Itm"], "columns": ["Qty"]}}, "by", "Itm", "Item"),
        ({"render": {"to": "text", "columns": ["Itm"]}}, "columns", "Itm", "Item"),
    ],
)
def test_a_column_that_no_row_has_is_refused_with_the_nearest(
    transform: dict[str, Any], option: str, given: str, near: str, make: Make, tmp_path: Path
) -> None:
    (tmp_path / "rows.csv").write_text(ROWS)
    with pytest.raises(DataError) as caught:
        make(sources=["rows.csv"], transforms=[transform])
    (problem,) = caught.value.problems
    assert f"{given!r} that `{option}` names" in problem.what
    assert problem.fix == f"did you mean {near!r}?"
    assert next(iter(transform)) in problem.where


def test_the_label_of_a_table_and_the_columns_of_encoders_are_checked_alike(make: Make, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text(ROWS)
    source = {"path": "rows.csv", "format": {"table": {"label": "Payment Methd"}}}
    with pytest.raises(DataError, match="did you mean 'Payment Method'"):
        make(sources=[source])
    for encoder in ({"render": {"to": "text", "columns": ["Itm"]}}, {"impute": {"columns": ["Itm"]}}):
        with pytest.raises(DataError, match="did you mean 'Item'"):
            make(sources=["rows.csv"], transforms=[], encoders=[encoder])


def test_a_column_that_only_some_rows_have_is_there(make: Make) -> None:
    rows = [{"a": n, "b": n, **({"c": 1} if n == 599 else {})} for n in range(600)]
    source = {"path": "rows.jsonl", "format": "table"}
    dataset = make(rows, sources=[source], transforms=[{"render": {"to": "text", "columns": ["a", "c"]}}], processes=1)
    assert dataset.report["rows"]["kept"] == 600


def test_an_encoder_behind_render_is_refused_in_the_recipe() -> None:
    with pytest.raises(ValidationError, match="put render last"):
        DataSection.model_validate({"sources": ["a.csv"], "encoders": ["render", "impute"]})


def test_column_names_that_stand_twice_are_said(make: Make, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("a,a,b\n1,2,3\n")
    notes = make(sources=["rows.csv"]).report["notes"]
    assert any("a column name stands twice: renamed 'a' to 'a.2'" in note for note in notes)


def test_languages_are_named_by_codes_that_are_known() -> None:
    with pytest.raises(ValidationError, match="for english write en; for 中文 write zh"):
        find(Transform, "language").model_validate({"keep": ["english", "中文"]})


def test_held_out_rows_that_encoders_write_alike_are_named_as_the_cause(make: Make, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("a,b,c\n" + "".join(f"{n % 2},{n},x\n" for n in range(80)))
    render = {"render": {"to": "text", "columns": ["a"]}}
    dataset = make(
        sources=["rows.csv"], transforms=[], encoders=[render], split={"validation": 0.2, "test": 0.2, "near": None}
    )
    notes = [note for note in dataset.report["notes"] if "fell into its share" in note or "let them write" in note]
    assert len(notes) == 2
    assert all("render.columns" in note for note in notes)
