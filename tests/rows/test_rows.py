"""Rows keep what they are given and files of them survive crashes."""

from __future__ import annotations

from pathlib import Path

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from tuneloop.rows import Chat, Labeled, Message, Preference, Record, Signal, Text, ToolCall, jsonl
from tuneloop.rows.record import asked

text = st.text(max_size=30)
calls = st.builds(ToolCall, name=text, arguments=st.dictionaries(text, st.integers() | text, max_size=2))
messages = st.builds(
    Message,
    role=st.sampled_from(["system", "user", "assistant", "tool"]),
    content=text,
    thinking=text,
    tool_calls=st.lists(calls, max_size=2).map(tuple),
    learn=st.none() | st.booleans(),
)
turns = st.lists(messages, min_size=1, max_size=4).map(tuple)
contents = st.one_of(
    st.builds(Text, text=text),
    st.builds(Chat, messages=turns),
    st.builds(Preference, prompt=turns, chosen=turns, rejected=turns),
    st.builds(Labeled, text=text, label=text | st.integers() | st.booleans()),
)


@given(contents)
def test_a_record_survives_json_and_its_id_follows_from_its_content(content) -> None:
    record = Record.of(content, origin="a:1", meta={"x": 1})
    back = msgspec.json.decode(msgspec.json.encode(record), type=Record)
    assert back == record
    assert Record.of(content, origin="b:2").id == record.id


@given(contents, contents)
def test_other_content_has_another_id(one, two) -> None:
    assert (Record.of(one, origin="").id == Record.of(two, origin="").id) == (one == two)


@given(turns, text, text)
def test_rows_that_ask_the_same_are_seen_to(before, one, two) -> None:
    question = (*before, Message("user", "and?"))
    assert asked(Chat((*question, Message("assistant", one)))) == asked(Chat((*question, Message("assistant", two))))


def signals(n: int) -> list[Signal]:
    return [Signal(i, "train/loss", 1.0 / (i + 1), 0.0) for i in range(n)]


@given(st.integers(0, 5), st.integers(0, 200))
def test_a_torn_file_gives_its_whole_lines_and_takes_new_ones(tmp_path_factory, count: int, cut: int) -> None:
    path: Path = tmp_path_factory.mktemp("rows") / "signals.jsonl"
    jsonl.append(path, signals(count))
    data = path.read_bytes()[: max(0, len(path.read_bytes()) - cut)]
    path.write_bytes(data)
    whole = data.count(b"\n")
    assert list(jsonl.read(path, Signal)) == signals(count)[:whole]
    jsonl.append(path, [Signal(99, "x", 0.0, 0.0)], sync=True)
    assert [s.step for s in jsonl.read(path, Signal)] == [*range(whole), 99]


def test_a_missing_file_has_no_rows(tmp_path: Path) -> None:
    assert list(jsonl.read(tmp_path / "none.jsonl", Signal)) == []
