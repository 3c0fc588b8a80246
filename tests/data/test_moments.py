"""Moments: what is written clearly is read, what is not is refused."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneloop.data.moments import AmbiguousTime, moment, told
from tuneloop.errors import RecordError

SAME = datetime(2024, 3, 4, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    "value",
    ["2024-03-04", "20240304", 20240304, "2024/3/4", "2024-03-04T00:00:00Z", "2024-03-04 08:00:00+08:00",
     int(SAME), str(int(SAME)), SAME, int(SAME * 1000), int(SAME * 1e6), int(SAME) * 10**9, "2024-W10-1"],
)  # fmt: skip
def test_one_day_in_many_spellings_is_one_moment(value: Any) -> None:
    assert moment(value) == int(SAME * 1e6)


@pytest.mark.parametrize("value", ["03/04/2024", "3.4.2024", "25/12/24", "3-4-2024 10:00"])
def test_day_and_month_that_may_change_places_are_never_guessed(value: str) -> None:
    with pytest.raises(AmbiguousTime):
        moment(value)


@pytest.mark.parametrize("value", [None, "", "  ", "soon", "2024-13-01", 12, -5, True, 1.5e30, [], "2024-02-30"])
def test_what_is_no_time_is_refused(value: Any) -> None:
    with pytest.raises(RecordError):
        moment(value)


@given(st.datetimes(datetime(1000, 1, 1), datetime(9999, 12, 31)))
def test_what_is_told_is_read_back(when: datetime) -> None:
    assert moment(told(moment(when.isoformat()))) == moment(when.isoformat())
