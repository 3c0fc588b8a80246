"""Dates: proved by the column, given by the user, or left alone; never silently wrong."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.data.tabular import cells, of_file, step, table, through

from tuneloop.data.dates import read
from tuneloop.rows import Drop


def dated(*column: str, **options: object) -> list[object]:
    return list(cells(through(table(day=list(column)), step("dates", columns=("day",), **options)), "day"))


@pytest.mark.parametrize(
    ("written", "iso"),
    [
        ("2024-03-05", "2024-03-05"),
        ("2024/3/5", "2024-03-05"),
        ("20240305", "2024-03-05"),
        ("2024年3月5日", "2024-03-05"),
        ("2024年03月05日 15时20分", "2024-03-05T15:20:00"),
        ("2024年3月5日 下午3:20", "2024-03-05T15:20:00"),
        ("2024年3月5日 上午12:20", "2024-03-05T00:20:00"),
        ("２０２４－03－05".replace("－", "-"), "2024-03-05"),
        ("5 March 2024", "2024-03-05"),
        ("March 5th, 2024", "2024-03-05"),
        ("Tue 05-Mar-2024", "2024-03-05"),
        ("5-Mar-24", "2024-03-05"),
        ("5-Mar-94", "1994-03-05"),
        ("2024-03-05 24:00", "2024-03-06T00:00:00"),
        ("2024-12-31 24:00:00", "2025-01-01T00:00:00"),
        ("2024-03-05 12:05 AM", "2024-03-05T00:05:00"),
        ("2024-03-05 12:05 p.m.", "2024-03-05T12:05:00"),
        ("2024-03-05T15:20:30.250Z", "2024-03-05T15:20:30.250Z"),
        ("2024-03-05 15:20 +0800", "2024-03-05T15:20:00+08:00"),
        ("2024-03-05T15:20:30-03:30", "2024-03-05T15:20:30-03:30"),
        ("05/05/2024", "2024-05-05"),
        ("29 Feb 2024", "2024-02-29"),
    ],
)
def test_a_certain_date_needs_no_company(written: str, iso: str) -> None:
    assert dated(written) == [iso]


def test_one_day_above_twelve_proves_the_order_of_its_shape() -> None:
    assert dated("03/04/2024", "13/04/2024") == ["2024-04-03", "2024-04-13"]
    assert dated("03/04/2024", "04/13/2024") == ["2024-03-04", "2024-04-13"]
    assert dated("3.4.24", "25.4.24") == ["2024-04-03", "2024-04-25"]


def test_without_proof_or_with_proofs_of_both_orders_a_cell_stays_and_is_named() -> None:
    alone = step("dates")
    assert cells(through(table(day=["03/04/2024", "05/06/2024"]), alone), "day") == ["03/04/2024", "05/06/2024"]
    assert alone.tally == {"ambiguous": 2}
    assert alone.found()["columns"]["day"]["rows"] == {"ambiguous": ["t.csv:2", "t.csv:3"]}
    assert alone.found()["columns"]["day"]["shapes"]["#/#/0000 (05)"]["order"] == "unproven"
    assert dated("03/04/2024", "13/04/2024", "04/13/2024") == ["03/04/2024", "2024-04-13", "2024-04-13"]


def test_a_proof_speaks_for_its_own_shape_only() -> None:
    assert dated("03/04/2024", "13-04-2024", "2024-01-31") == ["03/04/2024", "2024-04-13", "2024-01-31"]
    # days filled up with zeros and days without come from two hands, one of which may be American
    assert dated("03/04/2024", "3/14/2024") == ["03/04/2024", "2024-03-14"]
    assert dated("03/04/2024", "10/14/2024") == ["2024-03-04", "2024-10-14"]
    assert dated("03/04/2024 10:00", "13/04/2024") == ["03/04/2024 10:00", "2024-04-13"]


def test_years_of_two_digits_with_hyphens_have_a_third_reading() -> None:
    assert dated("05-03-24", "13-03-24") == ["05-03-24", "13-03-24"]  # 2013-03-24 as well
    assert dated("05-03-24", "13-03-24", "31-03-44") == ["2024-03-05", "2024-03-13", "2044-03-31"]
    assert dated("05-03-24", order="dmy") == ["2024-03-05"]


def test_the_order_you_give_decides_by_column_too() -> None:
    assert dated("03/04/2024", order="dmy") == ["2024-04-03"]
    assert dated("03/04/2024", order={"day": "mdy"}) == ["2024-03-04"]
    assert dated("03/04/2024", order={"other": "mdy"}) == ["03/04/2024"]


def test_ambiguous_and_impossible_rows_are_set_aside_if_asked() -> None:
    items = through(table(day=["03/04/2024", "2024-01-01"]), step("dates", ambiguous="drop"))
    assert [item.reason for item in items if isinstance(item, Drop)] == ["`day` holds a date of unproven order"]
    wrong = table(day=["2024-02-30", "2024-01-01", "2024-01-01 25:10", "31/04/2024", "2024-13-01"])
    items = through(wrong, step("dates", columns=("day",)))
    assert [item.origin for item in items if isinstance(item, Drop)] == ["t.csv:2", "t.csv:4", "t.csv:5", "t.csv:6"]
    assert cells(through(wrong, step("dates", columns=("day",), impossible="empty")), "day") == [
        None,
        "2024-01-01",
        None,
        None,
        None,
    ]


def test_serial_numbers_are_dates_only_amid_dates_of_their_years() -> None:
    assert dated("2024-03-01", "2024-03-09", "45356", "45356.25", "12345") == [
        "2024-03-01",
        "2024-03-09",
        "2024-03-05",
        "2024-03-05T06:00:00",
        "12345",
    ]
    assert cells(through(table(size=["45356", "45357"]), step("dates")), "size") == ["45356", "45357"]


def test_only_columns_of_dates_are_touched() -> None:
    records = table(
        version=["1.2.10", "1.10.3"],
        phone=["555-0100", "555-0199"],
        code=["20240305", "99999999"],
        clock=["7:10 p.m.", "6:00 a.m."],
        note=["by 2024-01-01", "soon"],
        net=["192.0.2.1", "192.0.2.7"],
    )
    assert through(records, step("dates")) == records


@given(
    st.lists(st.dates(datetime.date(1970, 1, 1), datetime.date(2068, 12, 31)), min_size=1, max_size=30),
    st.sampled_from(["%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%m-%d-%Y", "%d/%m/%y", "%y-%m-%d", "%Y-%m-%d", "%d %b %Y"]),
)
def test_no_date_is_ever_silently_wrong(days: list[datetime.date], form: str) -> None:
    column = [day.strftime(form) for day in days]
    for day, written, got in zip(days, column, dated(*column, impossible="keep"), strict=True):
        assert got in (day.isoformat(), written)


@given(st.text(max_size=30))
def test_any_text_is_read_without_a_fault(text: str) -> None:
    found = read(text)
    assert found is None or set(found.readings) <= {"dmy", "mdy", "ymd", "named"}


def test_real_columns_are_read_as_they_are_meant(real: Path) -> None:
    ufo = list(of_file(real / "tables/ufo/ufo.csv.gz", 4000))
    got = cells(through(ufo, step("dates")), "Time")
    meant = [
        datetime.datetime.strptime(str(record.content.values["Time"]), "%m/%d/%Y %H:%M").isoformat()  # type: ignore[union-attr]
        for record in ufo
    ]
    assert got == meant
    customers = list(of_file(real / "tables/marketing_campaign/marketing_campaign.csv"))
    got = cells(through(customers, step("dates")), "Dt_Customer")
    assert got == [
        datetime.datetime.strptime(str(record.content.values["Dt_Customer"]), "%d-%b-%y").date().isoformat()  # type: ignore[union-attr]
        for record in customers
    ]


def test_a_real_column_of_two_forms_has_no_cell_left_open(real: Path) -> None:
    sales = step("dates")
    through(of_file(real / "tables/dirty_cafe_sales/dirty_cafe_sales.csv"), sales)
    found = sales.found()["columns"]
    assert found.keys() == {"Transaction Date"}
    assert {shape: entry["order"] for shape, entry in found["Transaction Date"]["shapes"].items()} == {
        "#/#/0000": "mdy",
        "#/#/0000 (05)": "mdy",
        "0000-#-#": "ymd",
        "0000-#-# (05)": "ymd",
    }
    assert sales.tally == {"read": 9543}
