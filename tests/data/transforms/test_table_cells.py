"""Cells of tables: names and cells trimmed, marks for missing values emptied, numbers read, rules held."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.data.tabular import cells, of_file, step, table, through

from tuneloop.data.contents import changed, characters, texts
from tuneloop.data.numbers import read
from tuneloop.rows import Drop, Fields, Record, Text


def numbers(*column: Any, **options: Any) -> list[Any]:
    return list(cells(through(table(size=list(column)), step("numbers", **options)), "size"))


def test_names_and_cells_are_trimmed_and_names_stay_apart() -> None:
    record = Record.of(Fields({" Town\u00a0": "  Bend   OR ", "Town": "\ufeffx", "n": 3}, "a"), origin="t.csv:2")
    (got,) = step("trim").run([record])
    assert got == record.having(Fields({"Town": "Bend OR", "Town.2": "x", "n": 3}, "a"))


def test_full_width_letters_become_plain_but_chinese_punctuation_stays() -> None:
    (got,) = through(table(a=["１２ｋｇ，好。\n  二"]), step("trim"))
    assert cells([got], "a") == ["12kg，好。\n 二"]


def test_marks_that_mean_nothing_else_are_emptied_everywhere() -> None:
    got = through(table(a=["", " ", "N/A", "#REF!", "?", "-", "#####", "Not Available", "x-"]), step("missing"))
    assert cells(got, "a") == [None] * 8 + ["x-"]


def test_a_doubtful_mark_is_missing_in_all_columns_once_a_column_of_numbers_proves_it() -> None:
    sizes = [*map(str, range(10)), "ERROR"]
    tills = ["Cash"] * 9 + ["ERROR", "None"]
    missing = step("missing")
    got = through(table(size=sizes, till=tills), missing)
    assert cells(got, "size")[-1] is None
    assert cells(got, "till")[-2:] == [None, "None"]
    assert missing.found()["proved_by"] == {"error": "size"}
    assert missing.found()["unproven"] == {"till": {"none": 1}}
    assert cells(through(table(size=sizes, till=tills), step("missing", marks=("none",))), "till")[-1] is None
    assert cells(through(table(size=sizes, till=tills), step("missing", keep=("error",))), "till")[-2] == "ERROR"


def test_namibia_is_no_missing_value_among_country_codes() -> None:
    sizes = [*map(str, range(10)), "NA"]
    got = through(table(size=sizes, land=["DE", "FR", "NA", "CN", "US"] * 2 + ["NA"]), step("missing"))
    assert cells(got, "size")[-1] is None
    assert cells(got, "land")[-1] == "NA"


def test_a_row_whose_label_is_a_mark_for_missing_is_set_aside() -> None:
    rows = [Record.of(Fields({"size": str(i)}, "a"), origin=f"t:{i}") for i in range(10)]
    rows += [Record.of(Fields({"size": "UNKNOWN"}, "unknown"), origin="t:10")]
    got = list(step("missing").run(rows))
    assert [item.origin for item in got if isinstance(item, Drop)] == ["t:10"]


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("1,234.56", 1234.56),
        ("1.234,56", 1234.56),
        ("1'234.50", 1234.5),
        ("12,34,567.0", 1234567.0),
        ("$ 1,299.90", 1299.9),
        ("-€5,5", -5.5),
        ("(3.50)", -3.5),
        ("7.5-", -7.5),
        ("\u22127.5", -7.5),
        ("0.123", 0.123),
        ("1.5e-3", 0.0015),
        ("０.５", 0.5),
        ("0.30000000000000004", 0.3),
    ],
)
def test_a_number_that_has_one_reading_is_read(written: str, number: float) -> None:
    assert numbers(written) == [number]


def test_thousands_and_decimals_are_told_apart_by_the_column_or_not_at_all() -> None:
    assert numbers("1,234", "1,5") == [1.234, 1.5]
    assert numbers("1,234", "1,234.5") == [1234.0, 1234.5]
    assert numbers("1.234", "0.5") == [1.234, 0.5]
    assert numbers("1.234", "2.500") == ["1.234", "2.500"]
    assert numbers("1.234", "1,5", "2.5") == ["1.234", 1.5, 2.5]
    assert numbers("1.234", "2.500", decimal=",") == [1234, 2500]


def test_one_unit_is_split_off_whatever_its_spelling_and_two_units_are_left_alone() -> None:
    weights = step("numbers")
    got = cells(through(table(w=["12.0 oz", "16 OZ.", "8.4 ounces", "16.0 oz. can"]), weights), "w")
    assert got == [12.0, 16.0, 8.4, 16.0]
    assert weights.found()["columns"]["w"]["units"] == {"oz": 4}
    assert numbers("3 kg", "500 g") == ["3 kg", "500 g"]


def test_a_percent_sign_divides_only_where_the_scale_of_the_column_says_so() -> None:
    assert numbers("0.05", "0.06", "0.055%") == [0.05, 0.06, 0.055]
    assert numbers("0.05", "0.06", "5.5%") == [0.05, 0.06, 0.055]
    assert numbers("5%", "6%") == [5, 6]


def test_codes_stay_text_and_what_a_spreadsheet_cut_is_set_aside() -> None:
    assert numbers("00501", "10001") == ["00501", "10001"]
    assert numbers("6222020200112233445", "6222020200112233446") == ["6222020200112233445", "6222020200112233446"]
    got = through(table(card=["6222020200112233445", "6.22202E+18"]), step("numbers"))
    assert [item.reason for item in got if isinstance(item, Drop)] == ["`card` is a long code that a spreadsheet cut"]
    assert numbers("1e400", "5", columns=("size",)) == ["1e400", 5]
    assert numbers("1.5e3", "2e-4", "0.1") == [1500.0, 0.0002, 0.1]


def test_columns_that_are_no_numbers_are_left_alone() -> None:
    records = table(
        street=["12 Oak St", "7 Elm Rd"],
        phone=["555 010 0199", "555 010 0123"],
        day=["2024-03-05", "2024-03-06"],
        clock=["7:10", "8:10"],
        version=["1.2.3", "1.2.4"],
    )
    assert through(records, step("numbers")) == records


@given(st.floats(min_value=-1e9, max_value=1e9).map(lambda number: round(number, 2)), st.sampled_from([",", "."]))
def test_no_number_is_ever_silently_wrong(number: float, decimal: str) -> None:
    written = f"{number:,.2f}"
    if decimal == ",":
        written = written.translate(str.maketrans(",.", ".,"))
    assert numbers(written) == [number]
    whole = f"{round(number):,}"
    assert numbers(whole)[0] in (round(number), whole)


@given(st.text(max_size=30))
def test_any_text_is_read_without_a_fault(text: str) -> None:
    found = read(text)
    assert found is None or found.readings


def test_rules_empty_what_is_out_of_range_and_keep_the_first_of_a_key() -> None:
    rules = step("rules", ranges={"born": [1910, None], "day": ["2020-01-01", "2024-12-31"]}, unique=("id",))
    records = table(
        id=["1", "2", "2", "3"],
        born=["1893", "1950", "1950", 1990],
        day=["2024-12-31T10:00:00", "2019-12-31", "x", None],
    )
    got = through(records, rules)
    assert cells(got, "born") == [None, "1950", 1990]
    assert cells(got, "day") == ["2024-12-31T10:00:00", None, None]
    assert [item.reason for item in got if isinstance(item, Drop)] == ["an earlier row has the same id"]
    required = through(table(a=["", "x"]), step("rules", required=("a",)))
    assert [item.reason for item in required if isinstance(item, Drop)] == ["`a` is missing"]
    dropped = through(table(a=["NY", "ZZ"]), step("rules", allowed={"a": ["NY", "CA"]}, otherwise="drop"))
    assert [item.reason for item in dropped if isinstance(item, Drop)] == ["`a` is not what the rules allow"]


@pytest.mark.parametrize("wrong", [{"ranges": {"a": [5, 1]}}, {"ranges": {"a": [5, "2020"]}}])
def test_rules_that_cannot_hold_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="range of a"):
        step("rules", **wrong)


@pytest.mark.parametrize("name", ["trim", "missing", "numbers", "dates", "shifted", "run_together", "rules"])
def test_rows_that_are_not_of_tables_pass_unchanged(name: str) -> None:
    record = Record.of(Text(" N/A 1,234 03/04/2024 "), origin="a.txt:1")
    assert list(step(name).run([record])) == [record]


def test_steps_of_texts_work_on_cells_and_see_telephones_written_as_numbers() -> None:
    row = Fields({"name": "ann", "phone": 5550100, "size": 1.5, "ok": True, "none": None}, "a")
    hidden = changed(row, lambda text: "[PHONE]" if text == "5550100" else text.upper())
    assert hidden == Fields({"name": "ANN", "phone": "[PHONE]", "size": 1.5, "ok": True, "none": None}, "a")
    assert list(texts(row)) == ["ann", "5550100", "1.5", "True", ""]
    assert characters(row) == 17


def test_the_marks_of_a_real_table_are_found(real: Path) -> None:
    missing = step("missing")
    through(of_file(real / "tables/dirty_cafe_sales/dirty_cafe_sales.csv"), missing)
    found = missing.found()
    assert found["proved_by"].keys() == {"error", "unknown"}
    assert found["emptied"] == {
        "Item": 971,
        "Quantity": 479,
        "Price Per Unit": 534,
        "Total Spent": 503,
        "Payment Method": 3179,
        "Location": 3963,
        "Transaction Date": 461,
    }
