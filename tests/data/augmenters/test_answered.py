"""Augmenters that ask a model: answers are checked, kept and counted; where a service fails, rows stay as they are."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from tests.data.augmenters.service import serving

from tuneloop.data.augmenters import Augmenter
from tuneloop.data.section import Augment
from tuneloop.data.transforms import Place
from tuneloop.data.varying.growing import Augmentation
from tuneloop.errors import DataError, ModelError
from tuneloop.parts import find
from tuneloop.rows import Labeled, Record
from tuneloop.store import Dataset, Store

Make = Callable[..., Dataset]


def told(by: list[Any], texts: Iterable[str], place: Place, **options: Any) -> tuple[list[str], dict[str, Any]]:
    """What was made of texts, and what was told of it."""
    augmentation = Augmentation(Augment.model_validate({"by": by, **options}), place)
    rows = [Record.of(Labeled(text, "x"), origin=f"r:{at}") for at, text in enumerate(texts)]
    out = list(augmentation.run(rows, 0))
    return [row.content.text for row in out if "parent" in row.meta], augmentation.found()  # type: ignore[union-attr]


def at(url: str, **options: Any) -> dict[str, Any]:
    return {"base_url": url, "model": "m", "retries": 0, "timeout": 5, **options}


def test_answers_that_keep_what_they_must_become_rows_and_others_are_counted(store: Store) -> None:
    answers = {
        "Please send 3 parcels to [NAME]": '"Would you send [NAME] 3 parcels"',
        "I want my 20 dollars back now": "I want my 30 dollars back now",
        "It did not arrive last week": "It did arrive in the last week",
        "Where is my parcel today": "Wo ist mein Paket denn heute nur geblieben",
        "How long does the whole thing take": "Long",
        "Can you change my order please": "",
        "Who is there to help me with it": "cut",
        "What does the service say to that": 500,
        "The row that is refused by the service": 400,
        "  My parcel came too late  \n": "<think>hm</think>Too late my parcel came",
    }
    with serving(lambda system, user: answers[next(text for text in answers if text.strip() == user)]) as service:
        texts, found = told([{"paraphrase": at(service.url)}], answers, Place(store=store))
    assert texts == ["Would you send [NAME] 3 parcels", "  Too late my parcel came  \n"]
    assert {each["reason"]: each["rows"] for each in found["failed"]} == {
        "a number, address, placeholder or piece of code changed": 1,
        "a negation came or went": 1,
        "the answer is in another language": 1,
        "the answer is much longer or shorter than the text": 1,
        "the answer is empty": 1,
        "the answer was cut off": 1,
        "the endpoint does not answer": 1,
        "the endpoint says 400 Bad Request": 1,
    }
    assert found["unanswered"] == 1 and found["not_made"] == {"its augmenters failed": 8}


def test_a_text_is_translated_there_and_back_in_its_own_language(store: Store) -> None:
    asked: list[tuple[str, str]] = []

    def reply(system: str, user: str) -> str:
        asked.append((system.split("into ")[1].split(".")[0], user))
        return {
            "German": "Wo ist meine Karte?",
            "English": "Where is the card of mine?",
            "Chinese": "我的卡在哪里呢？",
        }[asked[-1][0]]

    with serving(reply) as service:
        english, _ = told([{"back_translation": at(service.url)}], ["Where is my card?"], Place(store=store))
        chinese, _ = told([{"back_translation": at(service.url)}], ["我的卡在哪儿？"], Place(store=store))
        _, same = told([{"back_translation": at(service.url, through="English")}], ["Where is my card?"], Place())
    assert english == ["Where is the card of mine?"] and chinese == ["我的卡在哪里呢？"]
    assert asked[:2] == [("German", "Where is my card?"), ("English", "Wo ist meine Karte?")]
    assert [language for language, _ in asked[2:]] == ["English", "Chinese"]
    assert same["failed"][0]["reason"] == "the text is in the language between"


def test_rows_are_asked_about_together_and_come_in_order(store: Store) -> None:
    import threading

    together = threading.Barrier(4, timeout=5)

    def reply(system: str, user: str) -> str:
        together.wait()
        return user.replace("please send", "would you send")

    texts = [f"please send parcel {at} to me" for at in range(8)]
    with serving(reply) as service:
        made, _ = told([{"paraphrase": at(service.url, concurrency=4)}], texts, Place())
    assert made == [text.replace("please send", "would you send") for text in texts]


def test_a_second_run_asks_nothing_and_gives_the_same_dataset(make: Make, tmp_path: Path) -> None:
    words = iter(range(1000))
    rows = [{"text": f"please send the {name} parcel to me", "label": "a"} for name in ("red", "blue", "green")]
    with serving(lambda system, user: f"{user} {'abcdefghij'[next(words) % 10]}") as service:
        augment = [{"paraphrase": at(service.url)}]
        first = make(rows, augment=augment)
        asked = service.asked
        again = make([*rows, {"text": "and one more row that is new", "label": "b"}], augment=augment)
        assert service.asked == asked + 1
    made = {record.id for record in first.records("train") if "parent" in record.meta}
    assert len(made) == 3 and made < {record.id for record in again.records("train")}


def test_a_service_that_is_down_leaves_the_rows_and_is_asked_again_the_next_time(make: Make) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    rows = [{"text": f"please send the {name} parcel to me", "label": "a"} for name in ("red", "blue", "green")]
    state = {"up": False}
    with serving(lambda system, user: f"Would you {user}" if state["up"] else 503) as service:
        augment = [{"paraphrase": at(service.url)}]
        down = make(rows, augment=augment)
        state["up"] = True
        up = make(rows, augment=augment)
        assert make(rows, augment=augment).id == up.id
    gone = make(rows, augment=[{"paraphrase": at(f"http://127.0.0.1:{port}/v1")}])
    assert len(list(down.records("train"))) == len(list(gone.records("train"))) == 3
    assert len(list(up.records("train"))) == 6
    assert any("3 variants were not answered" in note for note in down.report["notes"])


def test_after_some_rows_without_an_answer_the_service_is_left_alone(store: Store) -> None:
    with serving(lambda system, user: 503) as service:
        texts = [f"please send parcel {at} to me" for at in range(40)]
        _, found = told([{"paraphrase": at(service.url, concurrency=1)}], texts, Place(store=store))
    assert service.asked == 5 and found["unanswered"] == 40


@pytest.mark.parametrize("status", [401, 404])
def test_a_wrong_key_or_address_is_an_error_with_its_fix(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_KEY", "k-123")
    with serving(lambda system, user: status) as service, pytest.raises(DataError, match=str(status)) as caught:
        told([{"paraphrase": at(service.url, api_key_env="SOME_KEY")}], ["please send it"], Place())
    assert "api_key_env" in caught.value.problems[0].fix
    assert service.keys == {"Bearer k-123"} and "k-123" not in str(caught.value)


def test_a_key_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_KEY", raising=False)
    with pytest.raises(DataError, match="the environment has no NO_KEY"):
        told([{"paraphrase": at("http://127.0.0.1:9/v1", api_key_env="NO_KEY")}], ["please send it"], Place())


@pytest.mark.parametrize("url", ["ftp://example.com/v1", "https://user:pass@example.com/v1", "example.com"])
def test_an_address_with_a_password_or_of_another_kind_is_refused(url: str) -> None:
    with pytest.raises(ValidationError, match="http"):
        find(Augmenter, "paraphrase")(base_url=url, model="m")  # type: ignore[type-abstract]


def test_what_is_redacted_is_never_sent(make: Make) -> None:
    heard: list[str] = []
    rows = [{"text": f"please write to ann{at}@example.com about the parcel", "label": "a"} for at in range(3)]
    with serving(lambda system, user: heard.append(user) or f"Would you {user}") as service:
        make(rows, transforms=["redact"], augment=[{"paraphrase": at(service.url)}])
    assert heard and not any("@example.com" in text for text in heard)


def test_a_model_on_this_machine_answers_and_its_answers_are_kept(tiny_model: Path, store: Store) -> None:
    """A model of random weights says nothing of use: none of it may become a row, and nothing is asked twice."""
    by = [{"paraphrase": {"model": str(tiny_model), "max_tokens": 8, "concurrency": 3}}]
    texts = [f"please send parcel {at} to me" for at in range(6)]
    made, found = told(by, texts, Place(store=store))
    assert made == [] and sum(each["rows"] for each in found["failed"]) == 6
    kept = {path for path in (store.root / "cache").rglob("*") if path.is_file()}
    assert told(by, texts, Place(store=store))[1] == found
    assert {path for path in (store.root / "cache").rglob("*") if path.is_file()} == kept


def test_a_model_that_is_not_there_is_said_before_any_row_is_read(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "HF_HUB_OFFLINE", "1")
    with pytest.raises(ModelError):
        make([{"text": "a b", "label": "c"}], augment=[{"paraphrase": {"model": "no/such-model-anywhere"}}])
