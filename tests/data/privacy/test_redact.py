"""Redact and secrets reach every text of a row, are stable, and leave nothing behind."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.data.privacy.planted import AROUND, KINDS, nothing

from tuneloop.data.detectors import Detector
from tuneloop.data.detectors._draw import Draw
from tuneloop.data.privacy.finder import Finder
from tuneloop.data.privacy.kinds import kinds_of
from tuneloop.data.transforms import Place
from tuneloop.data.transforms.redact import Redact
from tuneloop.data.transforms.secrets import Secrets
from tuneloop.errors import DataError
from tuneloop.parts import find
from tuneloop.rows import Chat, Drop, Fields, Labeled, Message, Preference, Record, Text, ToolCall
from tuneloop.rows.record import Content
from tuneloop.store import Dataset, Store

Make = Callable[..., Dataset]
MAIL, KEY = "ann.lee@example.com", "sk-" + "aB3dE5gH7jK9mN1pQ3sT5vX7zA9cE1gI"
STRUCTURED = [find(Detector, name)() for name in KINDS]
PERSONAL = [kind for kind in STRUCTURED if "redact" in kind.used_by]
SECRET = {"TUNELOOP_REDACT_KEY": "0123456789abcdef0123456789abcdef"}


def one(transform: Redact | Secrets, content: Content, **meta: Any) -> Record | Drop:
    (result,) = transform.at(Place()).run([Record.of(content, origin="rows.jsonl:1", meta=meta)])
    return result


def full(value: str) -> list[Content]:
    """Contents of every kind with a value in every place that can hold a text."""
    nested = {"to": [value, {"deep": f"x {value} y"}], value: 1, "json": json.dumps({"a": value})}
    messages = (
        Message("system", value),
        Message("user", f"你好{value}。", name=value),
        Message("assistant", "", value, (ToolCall("send", nested, value),)),
        Message("tool", json.dumps({"result": f"line\n{value}"}), tool_call_id=value, name=f"n {value}"),
        Message("assistant", f"ok {value}", f"think {value}"),
    )
    tools = ({"type": "function", "function": {"name": "send", "description": f"mail {value}", "parameters": nested}},)
    return [
        Text(value),
        Labeled(f"a {value}", value),
        Fields({"name": value, value: "x", "age": 7}, value),
        Chat(messages, tools, {"stop": [value], "seed": 4111111111111111}),
        Preference(messages[:2], messages[4:], messages[4:], tools),
    ]


@pytest.mark.parametrize(("transform", "value"), [(Redact(), MAIL), (Secrets(), KEY)])
def test_every_text_of_every_content_is_reached(transform: Redact | Secrets, value: str) -> None:
    for content in full(value):
        result = one(transform, content, other={"by": [value, {"x": value}], value: value}, source=f"see {value}")
        written = json.dumps(msgspec.to_builtins(result), ensure_ascii=False)
        assert value not in written
        assert value.encode() not in msgspec.json.encode(result)
        assert isinstance(result, Record)
        assert result.origin == "rows.jsonl:1"
        assert result.id == Record.of(result.content, origin="").id
        assert one(transform, result.content, **result.meta) == result


def test_every_content_kind_is_in_this_test() -> None:
    assert {type(content) for content in full("x")} == set(Content.__args__)


def test_numbers_that_are_data_become_texts_and_others_stay() -> None:
    arguments = {
        "phone": 13800138000,
        "mobile": 13900139000.0,
        "count": 1234567,
        "price": 13.5,
        "card": 4111111111111111,
    }
    result = one(Redact(kinds=PERSONAL), Chat((Message("assistant", tool_calls=(ToolCall("f", arguments),)),)))
    assert result.content.messages[0].tool_calls[0].arguments == {  # type: ignore[union-attr]
        "phone": "[PHONE]",
        "mobile": "[PHONE]",
        "count": 1234567,
        "price": 13.5,
        "card": "[CARD]",
    }


def test_two_keys_that_read_alike_stay_two() -> None:
    result = one(Redact(), Text("x"), other={"ann@example.com": 1, "bo@example.com": 2})
    assert isinstance(result, Record)
    assert result.meta["other"] == {"[EMAIL]": 1, "[EMAIL] (2)": 2}


def test_a_row_without_finds_is_the_same_row() -> None:
    record = Record.of(Text("nothing here {{name}}"), origin="a:1", meta={"licence": "mit"})
    (result,) = Redact().at(Place()).run([record])
    assert result is record


def test_finds_are_counted_by_kind() -> None:
    redact = Redact(kinds=PERSONAL).at(Place())
    list(redact.run([Record.of(Text("ann@example.com bo@example.com 13800138000"), origin="a:1")]))
    assert redact.tally == {"email": 2, "phone": 1}


def test_secrets_can_set_rows_aside() -> None:
    drop = one(Secrets(how="drop"), Text(f"my key {KEY}"))
    assert isinstance(drop, Drop)
    assert KEY not in str(drop)
    assert isinstance(one(Secrets(how="drop"), Text("no key")), Record)


@pytest.mark.parametrize("place", ["variable", "file"])
def test_pseudonyms_are_stable_kept_by_the_key_and_never_found_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, place: str
) -> None:
    def made(text: str, key: str) -> str:
        (tmp_path / "key").write_text(key)
        monkeypatch.setenv("TUNELOOP_REDACT_KEY", key if place == "variable" else "")
        redact = Redact(kinds=PERSONAL, how="pseudonym", key_file="" if place == "variable" else "key")
        (result,) = redact.at(Place(tmp_path)).run([Record.of(Text(text), origin="a:1")])
        assert isinstance(result, Record)
        (again,) = redact.at(Place(tmp_path)).run([result])
        assert again == result
        return result.content.text  # type: ignore[union-attr]

    first, other = "k" * 32, "o" * 32
    one_mail = made("from Ann@example.com", first)
    assert one_mail == made("from ann@example.com", first) != made("from ann@example.com", other)
    assert one_mail != made("from bo@example.com", first)
    assert made("13800138000", first) == made("+86 138-0013-8000", first)
    random = Random(5)
    for kind in PERSONAL:
        value = KINDS[kind.name](random)
        assert value not in made(f"{kind.name}: {value}.", first)


def test_every_pseudonym_is_left_alone_whatever_stands_before_it() -> None:
    everything = Finder([*PERSONAL, *kinds_of("secrets")])
    for kind in STRUCTURED:
        for number in range(50):
            value = KINDS[kind.name](Random(number))
            pseudonym = kind.pseudonym(Draw(b"k" * 32, kind.name, kind.same(value)))
            for before in ("", "电话：", "my card number is ", "身份证号", "call me at ", "passport "):
                assert everything.spans(f"{before}{pseudonym}, ok") == []


@pytest.mark.parametrize(("key", "said"), [("", "there is none"), ("short", "could be guessed")])
def test_without_a_good_key_there_are_no_pseudonyms(monkeypatch: pytest.MonkeyPatch, key: str, said: str) -> None:
    monkeypatch.setenv("TUNELOOP_REDACT_KEY", key)
    with pytest.raises(DataError, match=said) as error:
        one(Redact(how="pseudonym"), Text("x"))
    assert "token_hex" in str(error.value)
    assert not key or key not in str(error.value)
    with pytest.raises(DataError):
        Redact(how="pseudonym", key_file="nowhere").at(Place()).stamp()


def test_another_key_is_another_dataset_and_the_key_is_in_none(
    make: Make, store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    rows = [{"text": f"write to ann{number}@example.com"} for number in range(30)]
    transforms = [{"redact": {"how": "pseudonym"}}]
    ids = []
    for key in ("k" * 32, "o" * 32):
        monkeypatch.setenv("TUNELOOP_REDACT_KEY", key)
        ids.append(make(rows, transforms=transforms).id)
        assert key not in everything(tmp_path)
    assert ids[0] != ids[1]
    monkeypatch.setenv("TUNELOOP_REDACT_KEY", "k" * 32)
    assert make(rows, transforms=transforms).id == ids[0]


def test_a_file_whose_name_holds_a_datum_is_refused_without_saying_it() -> None:
    record = Record.of(Text("x"), origin="mails/ann@example.com.jsonl:3")
    with pytest.raises(DataError, match="name of a file") as error:
        list(Redact().at(Place()).run([record]))
    assert "ann@example.com" not in str(error.value)


def everything(folder: Path) -> str:
    """All that can be read in a folder, Parquet taken apart; sources left out."""
    told = []
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".parquet":
            told.append(json.dumps(pq.read_table(path).to_pylist(), ensure_ascii=False, default=str))
        elif path.is_file() and "store" in path.parts:
            told.append(path.read_bytes().decode("utf-8", "replace"))
    return "\n".join(told)


def test_nothing_planted_remains_in_the_finished_dataset(make: Make, notes: Any, store: Store, tmp_path: Path) -> None:
    random, planted = Random(11), []
    rows: list[Any] = []
    for number in range(60):
        values = {name: make_one(random) for name, make_one in KINDS.items()}
        planted += values.values()
        before, after = (part.replace("{}", "it") for part in AROUND[number % len(AROUND)])
        rows.append(
            {
                "instruction": "；".join(f"{before}{value}{after}" for value in values.values()),
                "output": f"{values['email']}\n{values['phone']}" if number % 5 else "",
                "note": list(values.values()),
                values["email"]: values["card"],
            }
        )
    rows += [
        '{"instruction": "' + planted[0] + '", broken',
        {"instruction": planted[1]},
        {"nothing": planted[2:6]},
        {"phone_number": "467 3395"},
    ]
    planted.append("467 3395")
    make(rows, transforms=["redact", "secrets", "length", "duplicates"], split={"validation": 0.2, "test": 0.1})
    read = everything(tmp_path) + "\n".join(notes.notes)
    left = [value for value in planted if value in read or json.dumps(value)[1:-1] in read]
    assert left == []


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.one_of(st.text(max_size=12), st.sampled_from([MAIL, "13800138000", "电话", " ", "4111111111111111"])))
)
def test_text_outside_finds_is_unchanged_and_twice_is_once(pieces: list[str]) -> None:
    text = "".join(pieces)
    redact = Redact(kinds=PERSONAL)
    hidden = redact.hide(text)
    assert redact.hide(hidden) == hidden
    spans = Finder(PERSONAL).spans(text)
    end = 0
    for span in spans:
        kept = text[end : span.start]
        assert kept in hidden or Finder(PERSONAL).spans(kept)
        end = span.end


CARRIERS = [
    "Give three tips for staying healthy. Eat a balanced diet, sleep {} well and exercise 3 times for 30 minutes.",
    "Natalia sold 48/2 = <<48/2=24>>24 clips in May. {} She sold 48+24 = 72 clips altogether in April and May.",
    "请把下面的句子改写成被动语态：{}小明在2023年5月1日完成了3.5公里的跑步，共消耗350千卡。",
    "def area(r):\n    return 3.14159 * r ** 2  # {}\n\nprint(area(10.5))",
]


def test_recall_and_precision_on_planted_data() -> None:
    random, finder = Random(2024), Finder(STRUCTURED)
    planted, found, false = 0, 0, 0
    for kind, make_one in KINDS.items():
        for number in range(30):
            value, (before, after) = make_one(random), random.choice(AROUND)
            head = random.choice(CARRIERS).partition("{}")
            text = head[0] + " " + before.replace("{}", kind.replace("_", " ")).replace("{{", "{")
            place = (len(text), len(text) + len(value), kind)
            spans = [span[:3] for span in finder.spans(text + value + after.replace("}}", "}") + " " + head[2])]
            planted, found = planted + 1, found + (place in spans)
            false += len([span for span in spans if span != place])
            carrier = CARRIERS[number % len(CARRIERS)].format(nothing(random))
            false += len(finder.spans(carrier))
    assert found / planted >= 0.98
    assert found / (found + false) >= 0.98
