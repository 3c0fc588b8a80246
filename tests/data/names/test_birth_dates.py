"""Dates of birth: the date beside words of birth, and no other."""

from __future__ import annotations

import pytest

from tuneloop.data.detectors.birth_date import BirthDate


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("She was born on 2/8/1985 in Ohio", "2/8/1985"),
        ("date of birth: 14 March 1990", "14 March 1990"),
        ("My birthday is July 4th, 1988 and", "July 4th, 1988"),
        ("DOB 1990-03-04", "1990-03-04"),
        ("born on the 7th of April 1983 in Ohio", "the 7th of April 1983"),
        ("她1990-03-04生，", "1990-03-04"),
        ("born in Springfield on 12 May 1977", "12 May 1977"),
        ('{"dob": "1990-01-01"}', "1990-01-01"),
        ("Birthdate\n03-04-1990", "03-04-1990"),
        ("birth_date: 19900304", "19900304"),
        ("出生日期：1990年3月4日", "1990年3月4日"),
        ("他1990年3月4日出生", "1990年3月4日"),
        ("1990年3月4日生，男", "1990年3月4日"),
        ("我生于1988-06-01，", "1988-06-01"),
        ("一九九〇年三月四日出生", "一九九〇年三月四日"),
        ("生日是8月15日", "8月15日"),
    ],
)
def test_the_date_alone_is_found(text: str, date: str) -> None:
    assert [text[span.start : span.end] for span in BirthDate().find(text)] == [date]


@pytest.mark.parametrize(
    "text",
    [
        "The meeting is on 2020-03-04.",
        "会议于2020年3月4日召开",
        "学生于2020年3月4日入学",
        "Born and bred in Ohio. On 3/4/2015 the shop opened.",
        "born in 1985",
        "他的生日在1995年",
        "A problem of 3/4/2015",
    ],
)
def test_other_dates_and_years_stay(text: str) -> None:
    assert list(BirthDate().find(text)) == []


def test_spellings_of_one_date_are_the_same() -> None:
    detector = BirthDate()
    assert detector.same("1990-03-04") == detector.same("1990/03/04") != detector.same("1990-03-05")
