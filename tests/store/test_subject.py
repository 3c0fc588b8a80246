"""Subjects are found whatever their spelling, and nowhere else; of what is kept nothing can be read."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneloop.errors import DataError
from tuneloop.rows import Chat, Message, Record, Text, ToolCall
from tuneloop.store.subject import Search, echo_mark, row_mark, text_mark, tokens

SALT = "salt"


def search(*subjects: str) -> Search:
    return Search([text_mark(subject, SALT) for subject in subjects], SALT)


@pytest.mark.parametrize(
    ("subject", "text"),
    [
        ("Ann Lee", "seen by ANN\n\tLEE, today"),
        ("ann.lee@example.com", "mail: <Ann.Lee@Example.com>"),
        ("+1 555 0123", "call +1 (555) 01-23 now"),
        ("15550123", "call +1 555 0123"),
        ("王小明", "请联系王小明先生"),
        ("王小明", "王 小 明"),
        ("Ａｎｎ Ｌｅｅ", "ann lee"),
        ("Zoë Ångström", "ZOË ÅNGSTRÖM"),
        ("Ann Lee", "由Ann Lee写的"),
    ],
)
def test_a_subject_is_found_whatever_its_spelling(subject: str, text: str) -> None:
    assert search(subject).text(text)


@pytest.mark.parametrize(
    ("subject", "text"),
    [
        ("Ann Lee", "Joann Lee"),
        ("Ann Lee", "Ann Leeds"),
        ("Ann Lee", "Ann of Lee"),
        ("555 0123", "95550123"),
        ("555 0123", "55501234"),
        ("555 0123", "555 0124"),
        ("王小明", "王小红和小明"),
    ],
)
def test_what_only_looks_alike_is_not_found(subject: str, text: str) -> None:
    assert not search(subject).text(text)


def test_every_text_of_a_record_is_searched_and_none_across_two_of_them() -> None:
    call = ToolCall("mail", {"to": {"name": "Ann Lee"}})
    rows = [
        Record.of(Chat((Message("user", "hi"), Message("assistant", tool_calls=(call,)))), origin="a:1"),
        Record.of(Text("hi"), origin="a:2", meta={"other": {"author": "Ann Lee"}}),
        Record.of(Text("hi"), origin="ann-lee.txt:3"),
    ]
    assert all(map(search("Ann Lee").record, rows))
    assert not search("Ann Lee").record(
        Record.of(Chat((Message("user", "Ann"), Message("assistant", "Lee"))), origin="a:1")
    )


def test_a_row_is_known_again_by_its_content_and_its_echo() -> None:
    content = Text("Dear Sir, the parcel of the year 1999 has come.")
    marks = [row_mark(content, SALT), echo_mark(content.text, SALT)]
    rows = Search(marks, SALT)
    assert rows.record(Record.of(Text("dear sir, the  parcel of the year 1999 has come"), origin="b:7"))
    assert not rows.record(Record.of(Text("Dear Sir, the parcel of the year 1998 has come."), origin="b:7"))
    assert not rows.text(content.text)
    assert Search(marks, SALT, echoes=True).text(f'"answer": "{content.text}"')


def test_marks_do_not_tell_whom_they_are_of() -> None:
    kept = msgspec.json.encode(text_mark("Ann Lee", SALT)).decode().casefold()
    assert "ann" not in kept
    assert "lee" not in kept
    assert text_mark("Ann Lee", SALT) != text_mark("Ann Lee", "other")


def test_a_subject_that_would_be_met_everywhere_is_refused() -> None:
    for short in ("Li", "a b", "王", "12"):
        with pytest.raises(DataError, match="fewer than"):
            text_mark(short, SALT)
    assert text_mark("王明", SALT).count == 2


@given(st.text(max_size=40), st.text(max_size=40))
def test_what_stands_between_signs_is_found_in_any_text(before: str, after: str) -> None:
    assert search("Ann Lee").text(f"{before} -- Ann Lee -- {after}")
    assert tokens(before) == tokens(before.upper().lower()) or not before.isascii()
