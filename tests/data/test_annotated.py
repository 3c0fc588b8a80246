"""What people annotated in Label Studio, and logs of chat APIs: read as their tools write them, judged row by row."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tuneloop.errors import DataError
from tuneloop.rows import Chat, Exchange, Feedback, Labeled, Message, Preference, Record
from tuneloop.store import Dataset, Store
from tuneloop.store.exchanges import Exchanges

Make = Callable[..., Dataset]


def chosen(*labels: str, **marks: Any) -> dict[str, Any]:
    result = {"from_name": "mood", "to_name": "text", "type": "choices", "value": {"choices": list(labels)}}
    return {"id": 1, "completed_by": 7, "result": [result] if labels else [], "was_cancelled": False, **marks}


def task(number: int, *annotations: dict[str, Any], **data: Any) -> dict[str, Any]:
    predictions = [{"result": [{"type": "choices", "value": {"choices": ["guessed"]}}]}]
    data = data or {"text": f"review number {number}", "shop": "east"}
    return {"id": number, "data": data, "annotations": list(annotations), "predictions": predictions, "project": 3}


def short(number: int, label: Any, annotator: int = 1, **data: Any) -> dict[str, Any]:
    """A row of JSON-MIN: the data, the task's id, the answer by its control's name, and what is known of it."""
    data = data or {"text": f"review number {number}", "shop": "east"}
    known = {"annotation_id": 10 * number + annotator, "created_at": "2026-03-04", "updated_at": "2026-03-04"}
    return {**data, "id": number, "feeling": label, "annotator": annotator, **known, "lead_time": 1.5}


def records(dataset: Dataset) -> list[Record]:
    return list(dataset.records("train"))


def reasons(dataset: Dataset) -> list[str]:
    return [drop.reason for drop in dataset.dropped()]


def test_the_full_export_gives_what_most_annotators_chose(make: Make, tmp_path: Path) -> None:
    tasks = [
        task(1, chosen("good"), chosen("good"), chosen("bad")),
        task(2, chosen("good"), chosen("good"), chosen("bad", ground_truth=True)),
        task(3, chosen("good"), chosen("bad")),
        task(4, chosen("good", was_cancelled=True)),
        task(5),
        task(6, chosen()),
        task(7, chosen("good", "bad")),
        task(8, chosen("good"), image="https://example.com/8.jpg"),
        task(9, chosen("bad", was_cancelled=True), chosen("good")),
    ]
    (tmp_path / "export.json").write_text(json.dumps(tasks, indent=1))
    dataset = make(sources=["export.json"])
    found = [record.content for record in records(dataset)]
    assert found == [
        Labeled("review number 1", "good"),
        Labeled("review number 2", "bad"),
        Labeled("review number 9", "good"),
    ]
    assert reasons(dataset) == [
        "the annotators do not agree",
        "all annotations of the task were cancelled",
        "nobody has annotated the task yet",
        "the annotations of the task are empty",
        "the task has several labels",
        "the row holds media, and only text can be learned from so far",
    ]
    assert "guessed" not in repr(records(dataset))


def test_the_short_export_gives_the_same_labels_and_conflicts_are_settled_by_their_step(
    make: Make, tmp_path: Path
) -> None:
    rows = [short(1, "good", 1), short(1, "good", 2), short(1, "bad", 3), short(2, {"choices": ["good", "bad"]})]
    (tmp_path / "min.json").write_text(json.dumps(rows))
    steps = [{"label_conflicts": {"keep": "majority"}}, "duplicates"]
    dataset = make(sources=["min.json"], transforms=steps)
    assert [record.content for record in records(dataset)] == [Labeled("review number 1", "good")]
    assert "the task has several labels" in reasons(dataset)
    (only,) = records(dataset)
    assert "annotator" not in json.dumps(only.meta)


def test_the_table_export_is_read_where_the_answer_is_clear_or_named(make: Make, tmp_path: Path) -> None:
    columns = ["annotation_id", "annotator", "created_at", "feeling", "id", "lead_time", "shop", "text", "updated_at"]
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, quoting=csv.QUOTE_NONNUMERIC)  # sorted columns, as the converter writes them
    writer.writeheader()
    for number in range(3):
        writer.writerow({**short(number, "good"), "annotator": "ann@example.com"})
    (tmp_path / "export.csv").write_text(out.getvalue())
    with pytest.raises(DataError) as caught:
        make(sources=["export.csv"])
    assert "control" in str(caught.value) or "which column is the answer" in str(caught.value)
    dataset = make(sources=[{"path": "export.csv", "format": {"label_studio": {"control": "feeling"}}}])
    assert [record.content for record in records(dataset)] == [Labeled(f"review number {n}", "good") for n in range(3)]
    assert "example.com" not in json.dumps([record.meta for record in records(dataset)])


def test_comparisons_become_preferences_and_written_answers_conversations(make: Make, tmp_path: Path) -> None:
    def compared(side: str) -> dict[str, Any]:
        result = {"from_name": "pw", "to_name": "t1,t2", "type": "pairwise", "value": {"selected": side}}
        return {"result": [result]}

    def wrote(text: str) -> dict[str, Any]:
        return {"result": [{"from_name": "answer", "to_name": "talk", "type": "textarea", "value": {"text": [text]}}]}

    talk = [
        {"author": "user", "text": "hello"},
        {"author": "assistant", "text": "hi"},
        {"author": "user", "text": "why?"},
    ]
    tasks = [
        task(1, compared("left"), compared("left"), compared("right"), prompt="which?", answer1="this", answer2="that"),
        task(2, wrote("because"), dialogue=talk),
        task(3, wrote("so"), wrote("not so"), prompt="how?"),
    ]
    (tmp_path / "export.json").write_text(json.dumps(tasks))
    dataset = make(sources=["export.json"])
    first, second = (record.content for record in records(dataset))
    this, that = Message("assistant", "this"), Message("assistant", "that")
    assert first == Preference((Message("user", "which?"),), (this,), (that,))
    assert isinstance(second, Chat) and [turn.content for turn in second.messages] == ["hello", "hi", "why?", "because"]
    assert reasons(dataset) == ["the annotators do not agree"]


def test_the_short_export_of_a_comparison(make: Make, tmp_path: Path) -> None:
    rows = [short(1, [{"selected": "right"}], prompt="which?", answer1="this", answer2="that")]
    (tmp_path / "min.json").write_text(json.dumps(rows))
    (record,) = records(make(sources=["min.json"]))
    assert isinstance(record.content, Preference) and record.content.chosen == (Message("assistant", "that"),)


def answered(text: str | None = "yes", finish: str = "stop", **message: Any) -> dict[str, Any]:
    return {"choices": [{"finish_reason": finish, "message": {"role": "assistant", "content": text, **message}}]}


ASKED = {"model": "m", "messages": [{"role": "user", "content": "is it?"}]}


def test_a_chat_log_teaches_the_answers_that_are_whole(make: Make) -> None:
    earlier = [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "b"},
        {"role": "user", "content": "c"},
    ]
    call = {"id": "1", "type": "function", "function": {"name": "look", "arguments": '{"at": 7}'}}
    dataset = make(
        [
            {"request": ASKED, "response": answered()},
            {"request": {"messages": earlier}, "response": answered("d")},
            {"request": ASKED, "response": answered(None, "tool_calls", tool_calls=[call])},
            {"request": ASKED, "response": "plain"},
            {"request": ASKED, "response": answered("cut", "length")},
            {"request": ASKED, "response": {"error": {"message": "no"}}},
            {"request": ASKED, "response": answered("", refusal="I will not")},
            {"request": ASKED, "response": None},
        ],
        transforms=[],
    )
    chats = [record.content for record in records(dataset)]
    assert [chat.messages[-1].content for chat in chats] == ["yes", "d", "", "plain"]  # type: ignore[union-attr]
    assert [turn.learn for turn in chats[1].messages] == [None, False, None, None]  # type: ignore[union-attr]
    assert chats[2].messages[-1].tool_calls[0].arguments == {"at": 7}  # type: ignore[union-attr]
    assert len(reasons(dataset)) == 4 and reasons(dataset)[0] == "the answer is not whole"


def test_a_batch_is_joined_with_its_requests(make: Make, tmp_path: Path) -> None:
    asked = [
        {
            "custom_id": f"q{i}",
            "method": "POST",
            "url": "/v1/chat/completions",
            "body": {"messages": [{"role": "user", "content": f"what is {i}?"}]},
        }
        for i in range(3)
    ]
    said = [
        {
            "id": f"b{i}",
            "custom_id": f"q{i}",
            "response": {"status_code": 200, "body": answered(f"it is {i}")},
            "error": None,
        }
        for i in (2, 0, 7, 0)
    ]
    said.append({"id": "b", "custom_id": "q1", "response": {"status_code": 500, "body": {}}, "error": {"code": "x"}})
    for name, rows in (("in.jsonl", asked), ("out.jsonl", said)):
        (tmp_path / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    source = {"path": "out.jsonl", "reader": {"openai_batch": {"requests": "in.jsonl"}}}
    dataset = make(sources=[source])
    pairs = [[turn.content for turn in record.content.messages] for record in records(dataset)]  # type: ignore[union-attr]
    assert pairs == [["what is 2?", "it is 2"], ["what is 0?", "it is 0"]]
    assert sorted(reasons(dataset)) == [
        "another answer has the same custom_id",
        "no request has its custom_id",
        "the request failed: there is no answer",
    ]
    (tmp_path / "in.jsonl").write_text((tmp_path / "in.jsonl").read_text().replace("what is", "how much is"))
    assert make(sources=[source]).manifest.key != dataset.manifest.key
    with pytest.raises(DataError, match=r"stands without its request|no row is left"):
        make(sources=["out.jsonl"])


def test_served_answers_are_rows_with_corrections_and_ratings(make: Make, store: Store) -> None:
    start = time.mktime((2026, 3, 1, 12, 0, 0, 0, 0, 0)) - time.timezone
    with Exchanges(store.root / "exchanges.db") as exchanges:
        for number, finish in enumerate(("stop", "stop", "stop", "stop", "cancelled")):
            request = {"messages": [{"role": "user", "content": f"question {number}?"}], "temperature": 0.5}
            when = start + 86_400 * number
            arm = "challenger" if number == 3 else "champion"
            exchanges.add(
                Exchange(
                    f"chatcmpl-{number}", when, "model-x", arm, "key", request, f"answer {number}", 1, 2, 3, finish
                )
            )
        exchanges.judge(Feedback("f1", "chatcmpl-0", "rating", -1, "ann", start))
        exchanges.judge(Feedback("f2", "chatcmpl-1", "rating", 1, "ann", start))
        exchanges.judge(Feedback("f3", "chatcmpl-2", "correction", "the right one", "ann", start))

    def run(**options: Any) -> dict[str, str]:
        dataset = make(sources=[{"path": "exchanges://", "reader": {"exchanges": options}}], transforms=[])
        return {record.origin: record.content.messages[-1].content for record in records(dataset)}  # type: ignore[union-attr]

    one, two, right, four = "answer 0", "answer 1", "the right one", "answer 3"
    ids = [f"exchange:chatcmpl-{number}" for number in range(4)]
    assert run() == dict(zip(ids, (one, two, right, four), strict=True))
    assert run(min_rating=1) == {ids[1]: two, ids[2]: right}
    assert run(only="corrected") == {ids[2]: right}
    assert run(only="judged") == {ids[0]: one, ids[1]: two, ids[2]: right}
    assert run(arm="challenger") == {ids[3]: four}
    assert run(since="2026-03-02", until="2026-03-04") == {ids[1]: two, ids[2]: right}
    with pytest.raises(DataError, match="no served answer"):
        run(since="2027-01-01")
    assert not any(b"question" in path.read_bytes() for path in (store.root / "cache").rglob("*") if path.is_file())


def test_nothing_served_is_told(make: Make) -> None:
    with pytest.raises(DataError, match="nothing was served"):
        make(sources=["exchanges://"])


def test_a_forgotten_answer_is_found_by_its_origin_and_does_not_come_back(make: Make, store: Store) -> None:
    from tuneloop.data.forgetting.act import forget
    from tuneloop.data.forgetting.holding import find
    from tuneloop.data.forgetting.wanted import wanted

    with Exchanges(store.root / "exchanges.db") as exchanges:
        for number in range(2):
            request = {"messages": [{"role": "user", "content": f"a rather long question number {number}?"}]}
            exchanges.add(
                Exchange(
                    f"chatcmpl-{number}", number, "model-x", "champion", "key", request, f"it is {number}", 1, 2, 3
                )
            )
    first = make(sources=["exchanges://"])
    store.refs.move("x/dataset", first.id, why="test")
    subject = wanted(store, "exchange:chatcmpl-1")
    done = forget(store, subject, find(store, subject), why="request 7")
    assert done.act.exchanges == 1
    assert [record.origin for record in make(sources=["exchanges://"]).records("train")] == ["exchange:chatcmpl-0"]
