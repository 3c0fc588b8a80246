"""Transforms change records or set them aside, and say so."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuneloop.data.ledger import Step, balance
from tuneloop.data.transforms import Transform
from tuneloop.data.transforms.duplicates import Duplicates
from tuneloop.data.transforms.length import Length
from tuneloop.data.transforms.normalize import Normalize
from tuneloop.parts import find, names
from tuneloop.rows import Chat, Drop, Labeled, Message, Preference, Record, Text, ToolCall
from tuneloop.rows.record import Content
from tuneloop.store import Dataset


def chat(question: str, answer: str, **more: object) -> Chat:
    return Chat((Message("user", question), Message("assistant", answer, **more)))  # type: ignore[arg-type]


def records(*contents: Content) -> list[Record]:
    return [Record.of(content, origin=f"rows.jsonl:{i}") for i, content in enumerate(contents, 1)]


def test_normalize_composes_trims_and_takes_out_what_cannot_be_seen() -> None:
    (record,) = Normalize().run(records(chat(" cafe\u0301\r\nnow\u200b ", "a\x00b\ufeff\x0cc")))
    assert record.content == chat("café\nnow", "ab\nc")


@pytest.mark.parametrize(
    ("misread", "meant"),
    [
        ("Ocean \xe2\x80\x94 hers", "Ocean — hers"),
        ("itâ€™s â€œsoâ€\x9d", "it’s “so”"),
        ("it\x92s \x85", "it’s …"),
        ("ä»\x8aå¤©".replace("¤", "\xa4"), "今天"),
        ("Ångström, Noël, â, € 5, Ã", "Ångström, Noël, â, € 5, Ã"),
    ],
)
def test_normalize_mends_misread_characters_only_where_nobody_can_have_meant_them(misread: str, meant: str) -> None:
    assert Normalize().text(misread) == meant


def test_normalize_keeps_what_emoji_and_persian_need() -> None:
    text = "👩\u200d💻 می\u200cخواهم\tx"
    (record,) = Normalize().run(records(Text(text)))
    assert record.content == Text(text)


def test_normalize_makes_full_width_plain_only_when_asked() -> None:
    assert Normalize().text("ＡＢ１") == "ＡＢ１"
    assert Normalize(form="NFKC").text("ＡＢ１") == "AB1"


@given(st.text())
def test_normalizing_twice_is_normalizing_once(text: str) -> None:
    once = Normalize().text(text)
    assert Normalize().text(once) == once


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (chat("q", ""), "the answer is empty"),
        (chat("q", " \n"), "the answer is empty"),
        (Chat((*chat("q", "").messages, *chat("q", "a").messages)), "the answer is empty"),
        (Text(""), "the text is empty"),
        (Labeled(" ", 1), "the text is empty"),
        (Preference((Message("user", "q"),), (Message("assistant", ""),)), "the answer is empty"),
        (chat("q", "a"), ""),
        (chat("q", "", tool_calls=(ToolCall("f"),)), ""),
        (Chat((*chat("q", "", learn=False).messages, *chat("q", "a").messages)), ""),
    ],
)
def test_length_drops_by_default_only_what_is_empty(content: Content, reason: str) -> None:
    (result,) = Length().run(records(content))
    assert (result.reason if isinstance(result, Drop) else "") == reason


def test_length_has_a_lower_and_an_upper_limit() -> None:
    kept = Length(min_chars=2, max_chars=3).run(records(*(chat("a long question", "x" * n) for n in range(1, 6))))
    assert [result.reason if isinstance(result, Drop) else "" for result in kept] == [
        "shorter than 2 characters",
        "",
        "",
        "longer than 3 characters",
        "longer than 3 characters",
    ]


def test_of_equal_rows_the_first_is_kept() -> None:
    results = list(Duplicates().run(records(chat("q", "a"), chat("q", "b"), chat(" q", "a\n"), chat("ｑ", "a"))))
    assert [isinstance(result, Drop) for result in results] == [False, False, True, True]
    assert isinstance(results[2], Drop)
    assert results[2].detail == "as rows.jsonl:1"


CONTENTS = st.builds(chat, st.text(max_size=3), st.text(max_size=3)) | st.builds(Text, st.text(max_size=3))


@pytest.mark.parametrize("name", [name for name in names(Transform) if name != "semantic_duplicates"])  # loads a model
@settings(deadline=None)  # the first row may load a table
@given(contents=st.lists(CONTENTS, max_size=20))
def test_every_record_that_goes_in_comes_out_once(name: str, contents: list[Content]) -> None:
    kind = find(Transform, name)
    if any(field.is_required() for field in kind.model_fields.values()):
        pytest.skip("needs options")
    step = Step(kind())
    given_in = records(*contents)
    results = list(step.run(given_in))
    assert sorted(result.origin for result in results) == sorted(record.origin for record in given_in)
    assert step.account.taken == step.account.kept + sum(step.account.dropped.values()) == len(contents)


class Losing(Transform):
    """Loses every second record."""

    def run(self, records: object) -> object:  # type: ignore[override]
        for i, record in enumerate(records):  # type: ignore[arg-type,var-annotated]
            if i % 2 == 0:
                yield record


def test_a_transform_that_loses_rows_is_found_out() -> None:
    with pytest.raises(RuntimeError, match="lost 1 rows"):
        list(Step(Losing()).run(records(Text("a"), Text("b"))))
    with pytest.raises(RuntimeError, match="the ledger is wrong"):
        balance(3, 1, 1)


def test_rows_held_back_are_accounted_for_without_being_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuneloop.data.ledger.WHOLE", 3)
    given_in = records(*(Text(str(i)) for i in range(10)))
    step = Step(Backwards())
    assert [result.origin for result in step.run(given_in)] == [record.origin for record in reversed(given_in)]
    assert (step.account.kept, step.account.changed, len(step.account.samples)) == (10, 5, 2)


class Backwards(Transform):
    """Sees all rows before it gives the last one first, and changes those with even numbers."""

    def run(self, records: object) -> object:  # type: ignore[override]
        for record in reversed(list(records)):  # type: ignore[call-overload]
            yield record.having(Text("even")) if int(record.content.text) % 2 == 0 else record


def test_the_report_tells_what_each_step_did(make: Callable[..., Dataset]) -> None:
    rows = [
        {"instruction": "q ", "output": "a"},
        {"instruction": "q", "output": "a"},
        {"instruction": "x", "output": ""},
    ]
    steps = {step["step"]: step for step in make(rows).report["steps"]}
    assert steps["normalize"]["changed"] == 1
    assert steps["normalize"]["samples"] == [{"origin": "rows.jsonl:1", "before": "q ", "after": "q"}]
    assert steps["length"]["dropped"] == {"the answer is empty": 1}
    assert (steps["duplicates"]["in"], steps["duplicates"]["kept"]) == (2, 1)
