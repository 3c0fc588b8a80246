"""Formats: each shape of row that is in use is recognised and read, and bad rows are set aside with the reason."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tuneloop.data.columns import tidy, unusable
from tuneloop.data.formats import Format
from tuneloop.data.recognise import recognise
from tuneloop.errors import DataError, RecordError
from tuneloop.parts import find, names
from tuneloop.rows import Chat, Labeled, Message, Preference, Record, Text, ToolCall
from tuneloop.store import Dataset

U, A = "user", "assistant"
CALL = ToolCall("f", {"x": 1})
TOOL = {"type": "function", "function": {"name": "f"}}


def said(*contents: str) -> tuple[Message, ...]:
    return tuple(Message(A if i % 2 else U, content) for i, content in enumerate(contents))


def chat(*contents: str) -> Chat:
    return Chat(said(*contents))


SHAPES: list[tuple[str, dict[str, Any], Any]] = [
    ("alpaca", {"instruction": "add", "input": "1 2", "output": "3"}, chat("add\n\n1 2", "3")),
    ("alpaca", {"instruction": "add", "input": "", "output": 3, "history": [["a", "b"]]}, chat("a", "b", "add", "3")),
    (
        "alpaca",
        {"instruction": "add", "output": "3", "system": "be", "history": ""},
        Chat((Message("system", "be"), *said("add", "3"))),
    ),
    (
        "context",
        {
            "instruction": "who?",
            "context": {"name": "Ann", "ages": [1, 2]},
            "output": "Ann",
            "parameters": {"temperature": 0.7, "max_tokens": 9},
        },
        Chat(said("who?\n\nname: Ann\nages: [1, 2]", "Ann"), parameters={"temperature": 0.7, "max_tokens": 9}),
    ),
    ("context", {"instruction": "who?", "context": "Ann is.", "response": "Ann"}, chat("who?\n\nAnn is.", "Ann")),
    (
        "context",
        {"instruction": "who?", "parameters": '{"top_k": 2}', "output": "Ann"},
        Chat(said("who?", "Ann"), parameters={"top_k": 2}),
    ),
    (
        "sharegpt",
        {"conversations": [{"from": "human", "value": "hi"}, {"from": "gpt", "value": "yo"}]},
        chat("hi", "yo"),
    ),
    ("sharegpt", {"conversation": [{"human": "hi", "assistant": "yo"}], "system": ""}, chat("hi", "yo")),
    (
        "sharegpt",
        {
            "conversations": [
                {"from": "human", "value": "q"},
                {"from": "function_call", "value": '{"name": "f", "arguments": {"x": 1}}'},
                {"from": "observation", "value": "7"},
                {"from": "gpt", "value": "seven"},
            ],
            "tools": '[{"name": "f"}]',
        },
        Chat((Message(U, "q"), Message(A, tool_calls=(CALL,)), Message("tool", "7"), Message(A, "seven")), (TOOL,)),
    ),
    (
        "messages",
        {"messages": [{"role": U, "content": "hi"}, {"role": A, "content": "yo"}], "tools": "[]"},
        chat("hi", "yo"),
    ),
    (
        "messages",
        {
            "messages": [
                {"role": "developer", "content": "be"},
                {"role": U, "content": [{"type": "text", "text": "q"}]},
                {
                    "role": A,
                    "content": None,
                    "reasoning_content": "hm",
                    "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}}],
                },
                {"role": "tool", "tool_call_id": "1", "name": "f", "content": "7"},
                {"role": A, "content": "seven", "weight": 1},
                {"role": U, "content": "more", "weight": 0},
                {"role": A, "content": "no", "train": False},
                {"role": A, "content": "yes", "loss": True},
            ],
            "tools": [TOOL],
        },
        Chat(
            (
                Message("system", "be"),
                Message(U, "q"),
                Message(A, "", "hm", (ToolCall("f", {"x": 1}, "1"),)),
                Message("tool", "7", tool_call_id="1", name="f"),
                Message(A, "seven", learn=True),
                Message(U, "more"),
                Message(A, "no", learn=False),
                Message(A, "yes", learn=True),
            ),
            (TOOL,),
        ),
    ),
    (
        "messages",
        {
            "messages": [
                {"role": U, "content": "q"},
                {
                    "role": A,
                    "content": [
                        {"type": "reasoning", "value": "hm"},
                        {"type": "tool_call", "value": '{"name": "f", "arguments": {"x": 1}}'},
                    ],
                },
            ]
        },
        Chat((Message(U, "q"), Message(A, "", "hm", (CALL,)))),
    ),
    (
        "messages",
        {"messages": '[{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yo"}]'},
        chat("hi", "yo"),
    ),
    *(
        ("prompt_completion", {asked: "hi", answered: "yo"}, chat("hi", "yo"))
        for asked, answered in [
            ("prompt", "completion"),
            ("prompt", "response"),
            ("question", "answer"),
            ("query", "response"),
            ("instruction", "response"),
            ("input", "output"),
        ]
    ),
    ("prompt_completion", {"query": "q", "response": "r", "history": [["a", "b"]]}, chat("a", "b", "q", "r")),
    (
        "prompt_completion",
        {"prompt": [{"role": U, "content": "hi"}], "completion": [{"role": A, "content": "yo"}]},
        chat("hi", "yo"),
    ),
    (
        "preference",
        {"prompt": "q", "chosen": "good", "rejected": "bad"},
        Preference(said("q"), said("", "good")[1:], said("", "bad")[1:]),
    ),
    (
        "preference",
        {
            "chosen": [{"role": U, "content": "q"}, {"role": A, "content": "good"}],
            "rejected": [{"role": U, "content": "q"}, {"role": A, "content": "bad"}],
        },
        Preference(said("q"), (Message(A, "good"),), (Message(A, "bad"),)),
    ),
    (
        "preference",
        {
            "conversations": [{"from": "human", "value": "q"}],
            "chosen": {"from": "gpt", "value": "good"},
            "rejected": {"from": "gpt", "value": "bad"},
        },
        Preference(said("q"), (Message(A, "good"),), (Message(A, "bad"),)),
    ),
    (
        "preference",
        {"messages": [{"role": U, "content": "q"}, {"role": A, "content": "good"}], "rejected_response": "bad"},
        Preference(said("q"), (Message(A, "good"),), (Message(A, "bad"),)),
    ),
    ("preference", {"prompt": "q", "completion": "good", "label": True}, Preference(said("q"), (Message(A, "good"),))),
    (
        "preference",
        {"instruction": "q", "input": "i", "output": "bad", "kto_tag": False},
        Preference(said("q\n\ni"), (), (Message(A, "bad"),)),
    ),
    (
        "preference",
        {"messages": [{"role": U, "content": "q"}, {"role": A, "content": "bad"}], "label": "False"},
        Preference(said("q"), (), (Message(A, "bad"),)),
    ),
    ("text", {"text": "to be"}, Text("to be")),
    ("text", {"response": "to be"}, Text("to be")),
    ("labeled", {"text": "good", "label": 1}, Labeled("good", 1)),
    ("labeled", {"label": "pos", "review": "好吃"}, Labeled("好吃", "pos")),
    ("labeled", {"text": "where?", "category": " card "}, Labeled("where?", "card")),
]


@pytest.mark.parametrize(("name", "row", "content"), SHAPES, ids=lambda value: value if isinstance(value, str) else "")
def test_a_shape_in_use_is_recognised_and_read(name: str, row: dict[str, Any], content: Any) -> None:
    row = {key: value for key, value in row.items() if value is not None}
    verdict = recognise([row], None, "rows.jsonl")
    assert verdict.format.name == name
    assert verdict.format.content(row) == content


def test_every_format_says_its_shape_and_its_fields() -> None:
    for name in names(Format):
        format = find(Format, name)
        assert format.shape.startswith("{")
        assert format.fields or format.last_resort


GOOD = {"messages": [{"role": U, "content": "hi"}, {"role": A, "content": "yo"}]}


def turn(**fields: Any) -> dict[str, Any]:
    return {"messages": [{"role": U, "content": "hi"}, {"role": A, **fields}]}


BAD_ROWS: dict[str, tuple[Any, str]] = {
    "no JSON": ('{"messages": [', "no JSON"),
    "a list": ("[1]", "a row must be a JSON object, this is a list"),
    "no fields": ("{}", "the row has no fields"),
    "half a character": ('{"messages": "\\ud83d"}', "holds half a character (a lone surrogate)"),
    "unknown role": (turn(role="robot", content="x"), "the role is unknown"),
    "no role": ({"messages": [{"content": "x"}]}, "the role is unknown"),
    "no answer": ({"messages": [{"role": U, "content": "hi"}]}, "the conversation has no assistant turn"),
    "no turns": ({"messages": []}, "`messages` is empty"),
    "turns as a number": ({"messages": [7]}, "a turn of `messages` must be an object"),
    "messages as an object": ({"messages": {"role": U}}, "`messages` must be a list, it is a dict"),
    "content as an object": (turn(content={"a": 1}), "`content` must be text, it is a dict"),
    "content as a truth value": (turn(content=True), "`content` must be text, it is a bool"),
    "empty question": (
        {"messages": [{"role": U, "content": " "}, {"role": A, "content": "x"}]},
        "the question is empty",
    ),
    "empty answer": (turn(content=" \n"), "the answer is empty"),
    "media": ({**GOOD, "images": ["1.jpg"]}, "the row holds media"),
    "media in a piece": (turn(content=[{"type": "image_url", "image_url": "x"}]), "the row holds media"),
    "unknown piece": (turn(content=[{"type": "hologram", "hologram": "x"}]), "content of an unknown type"),
    "half a weight": (turn(content="x", weight=0.5), "`weight` of a turn is neither 1 nor 0"),
    "tools as a number": ({**GOOD, "tools": 7}, "`tools` must be a list, it is a int"),
    "tools no JSON": ({**GOOD, "tools": "[{"}, "`tools` is no JSON"),
    "call without a name": (turn(content="", tool_calls=[{"arguments": {}}]), "`name` is missing"),
    "arguments as a list": (
        turn(content="", tool_calls=[{"name": "f", "arguments": [1]}]),
        "the arguments of a call must be an object",
    ),
    "a twin": (GOOD, "the same content as an earlier row"),
    "another format's row without its answer": ({"instruction": "x"}, "`messages` is missing"),
}


@pytest.mark.parametrize("kind", BAD_ROWS)
def test_a_bad_row_is_set_aside_with_its_reason_and_place(kind: str, make: Callable[..., Dataset]) -> None:
    row, reason = BAD_ROWS[kind]
    dataset = make([GOOD, row, {"messages": [{"role": U, "content": "a"}, {"role": A, "content": "b"}]}])
    (drop,) = dataset.dropped()
    assert drop.reason.startswith(reason)
    assert drop.origin == "rows.jsonl:2"
    assert dataset.report["rows"] == {"read": 3, "kept": 2, "dropped": 1}


def test_a_value_of_the_row_stands_in_the_detail_of_its_drop_and_never_in_the_reason(
    make: Callable[..., Dataset],
) -> None:
    bad = [turn(role=role, content="x") for role in ("robot", "ghost", None)]
    dataset = make([GOOD, *bad, {"messages": [{"role": U, "content": "a"}, {"role": A, "content": "b"}]}])
    drops = list(dataset.dropped())
    assert {drop.reason for drop in drops} == {"the role is unknown"}
    assert [drop.detail.partition(":")[0] for drop in drops] == ["role 'robot'", "role 'ghost'", "role None"]


OTHER_BAD: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({"instruction": "a", "output": "b"}, {"instruction": "a"}, "`output` is missing"),
    ({"instruction": "a", "output": "b"}, {"instruction": "", "input": " ", "output": "b"}, "the question is empty"),
    (
        {"instruction": "a", "output": "b"},
        {"instruction": "x", "output": "b", "history": ["a"]},
        "`history` must hold [question, answer] pairs",
    ),
    (
        {"prompt": "a", "chosen": "b", "rejected": "c"},
        {"prompt": "x", "chosen": "b", "rejected": "b"},
        "chosen and rejected are the same",
    ),
    ({"prompt": "a", "chosen": "b", "rejected": "c"}, {"prompt": "x", "chosen": "b"}, "`rejected` is missing"),
    ({"prompt": "a", "chosen": "b", "rejected": "c"}, {"chosen": "b", "rejected": "c"}, "the prompt is empty"),
    ({"text": "a", "label": "b"}, {"text": "a"}, "`label` is missing or no plain value"),
    (
        {"instruction": "a", "context": {"k": 1}, "output": "b"},
        {"instruction": "a", "context": {}, "parameters": [], "output": "c"},
        "`parameters` must be an object",
    ),
    (
        {"instruction": "a", "context": {"k": 1}, "output": "b"},
        {"instruction": "a", "context": {}},
        "`output` is missing",
    ),
    ({"question": "a", "answer": "b"}, {"question": "x"}, "`answer` is missing"),
]


@pytest.mark.parametrize(
    ("good", "bad", "reason"), OTHER_BAD, ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_row_lacking_something_of_its_format_is_set_aside(
    good: dict[str, Any], bad: dict[str, Any], reason: str, make: Callable[..., Dataset]
) -> None:
    (drop,) = [drop for drop in make([good] * 9 + [bad]).dropped() if drop.origin == "rows.jsonl:10"]
    assert drop.reason.startswith(reason)


NAMES = sorted({name for format in names(Format) for name in find(Format, format).fields})
KEYS = st.sampled_from(["role", "from", "content", "value", "type", "text", "name", "weight"])
STRINGS = st.text(max_size=4) | st.sampled_from(["user", "[]", '{"a": "\\ud83d"}'])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | STRINGS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(NAMES), VALUES, min_size=1))
@settings(suppress_health_check=list(HealthCheck), deadline=None)
def test_no_row_makes_a_format_crash(row: dict[str, Any]) -> None:
    row = tidy(row, {})
    assume(not unusable(row))
    for name in names(Format):
        format = find(Format, name)()
        assert 0 <= format.fits(row) <= 1
        try:
            record = Record.of(format.content(row), origin="x:1")
        except RecordError as error:
            assert error.problems[0].fix
        else:
            assert msgspec.json.decode(msgspec.json.encode(record), type=Record).id == record.id


def test_a_dataset_version_can_be_a_source_again(make: Callable[..., Dataset], tmp_path: Path) -> None:
    call = {"name": "f", "arguments": {"x": None}}
    first = make([turn(content="", tool_calls=[call], reasoning_content="hm"), turn(content="yes")])
    (tmp_path / "train.parquet").write_bytes((first.folder / "train.parquet").read_bytes())
    second = make(sources=["train.parquet"])
    contents = [record.content for record in first.records("train")]
    assert [record.content for record in second.records("train")] == contents
    assert second.report["sources"][0]["files"][0]["formats"] == {"record": 2}


def test_single_rows_of_another_format_are_read_where_they_are_certain(make: Callable[..., Dataset]) -> None:
    rows = [{"instruction": f"a{i}", "output": "b"} for i in range(5)]
    dataset = make([*rows, GOOD, {"input": "only half of the file's own format"}])
    (file,) = dataset.report["sources"][0]["files"]
    assert file["verdict"] == "alpaca"
    assert file["formats"] == {"alpaca": 5, "messages": 1}
    (drop,) = dataset.dropped()
    assert drop.origin == "rows.jsonl:7"


def test_a_context_in_some_rows_is_never_lost(make: Callable[..., Dataset]) -> None:
    rows = [{"instruction": f"a{i}", "output": "b"} for i in range(5)]
    dataset = make([*rows, {"instruction": "who?", "context": "Ann is.", "output": "Ann"}])
    *_, last = dataset.records("train")
    assert last.content == chat("who?\n\nAnn is.", "Ann")
    assert dataset.report["sources"][0]["files"][0]["formats"] == {"alpaca": 5, "context": 1}


def test_labels_in_most_rows_make_a_labeled_file(make: Callable[..., Dataset]) -> None:
    rows = [{"text": f"t{i}", "label": "x"} if i % 5 < 3 else {"text": f"t{i}"} for i in range(50)]
    dataset = make(rows)
    assert dataset.report["kinds"] == {"labeled": 30}
    assert {drop.reason for drop in dataset.dropped()} == {"`label` is missing or no plain value"}


def test_a_named_format_is_the_only_one(make: Callable[..., Dataset]) -> None:
    source = {"path": "rows.jsonl", "format": "text"}
    dataset = make([{"text": "a", "label": 1}, GOOD], sources=[source])
    assert [type(record.content) for record in dataset.records("train")] == [Text]
    assert dataset.report["rows"]["dropped"] == 1


def test_columns_are_mapped_and_unused_ones_kept(make: Callable[..., Dataset]) -> None:
    source = {"path": "rows.jsonl", "columns": {"instruction": " Frage ", "output": "Antwort"}, "licence": "cc0"}
    dataset = make([{"Frage": "wer?", " Antwort": "ich", "nr": 7}], sources=[source])
    (record,) = dataset.records("train")
    assert record.content == chat("wer?", "ich")
    assert record.meta == {"licence": "cc0", "other": {"nr": 7}}


def test_a_mapped_column_that_is_not_there_is_refused_with_the_nearest(make: Callable[..., Dataset]) -> None:
    with pytest.raises(DataError) as caught:
        make([{"question": "a", "answer": "b"}], sources=[{"path": "rows.jsonl", "columns": {"prompt": "questoin"}}])
    assert caught.value.problems[0].fix == "did you mean 'question'?"


def test_rows_of_no_known_format_are_refused_with_their_keys_and_the_known_shapes(make: Callable[..., Dataset]) -> None:
    with pytest.raises(DataError) as caught:
        make([{"Transaction ID": "T1", "Item": "Coffee"}])
    problem = caught.value.problems[0]
    assert "'Transaction ID', 'Item'" in problem.what
    assert problem.where == "rows.jsonl"
    assert "columns:" in problem.fix
    assert all(find(Format, name).shape in problem.fix for name in names(Format))


def test_the_verdict_is_told_with_three_rows(make: Callable[..., Dataset], notes: Any) -> None:
    make([{"instruction": f"a{i}", "output": "b"} for i in range(150)])
    at = notes.notes.index("rows.jsonl: alpaca (100 of 100 rows looked at fit)")
    assert all(f"a{i}" in notes.notes[at + 1 + i] for i in range(3))


def test_rows_of_text_between_conversations_are_read_as_text(make: Callable[..., Dataset]) -> None:
    rows = [
        {"messages": [{"role": "user", "content": f"q{i}"}, {"role": "assistant", "content": "a"}]} for i in range(9)
    ]
    dataset = make([*rows, {"text": "a report of the day"}])
    assert list(dataset.dropped()) == []
    found = [record for split in dataset.splits for record in dataset.records(split)]
    assert sum(type(record.content).__name__ == "Text" for record in found) == 1


@pytest.mark.parametrize(
    ("header", "row", "format", "content"),
    [
        ("客户,问题,回答,日期,备注", "李雷,怎么退货,点退货,2024,", "prompt_completion", chat("怎么退货", "点退货")),
        ("问题,答案", "怎么退货,点退货", "prompt_completion", chat("怎么退货", "点退货")),
        ("Frage;Antwort", "Wo?;Hier.", "prompt_completion", chat("Wo?", "Hier.")),
        ("指令,输入,输出", "相加,1 2,3", "alpaca", chat("相加\n\n1 2", "3")),
        ("评论,标签", "很好吃,好评", "labeled", Labeled("很好吃", "好评")),
        ("文本,类别", "很好吃,餐饮", "labeled", Labeled("很好吃", "餐饮")),
    ],
)
def test_columns_named_in_chinese_or_german_are_recognised(
    header: str, row: str, format: str, content: Any, tmp_path: Path, make: Callable[..., Dataset]
) -> None:
    (tmp_path / "rows.csv").write_bytes(f"{header}\n{row}\n".encode("gb18030"))
    dataset = make(sources=[str(tmp_path / "rows.csv")])
    assert dataset.report["sources"][0]["files"][0]["formats"] == {format: 1}
    assert [record.content for record in dataset.records("train")] == [content]
