"""The leak certificate: it finds what was planted, in both languages, and tells what it looked for."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tuneloop.data.certificate import certify
from tuneloop.data.prepare import from_records
from tuneloop.data.section import Split
from tuneloop.rows import Chat, Content, Labeled, Message, Record, Text
from tuneloop.store import Dataset, Store


def chat(question: str, answer: str) -> Chat:
    return Chat((Message("user", question), Message("assistant", answer)))


EN = "please tell me how I can send a parcel with three books and a lamp to my aunt who lives in another country"
ZH = "请问我想把一个装有三本书和一盏台灯的包裹寄给住在国外的阿姨需要准备哪些材料以及大概需要多少天才能送到"
LEAKS = [
    ("exact", chat("How do I  return it?", "by mail"), chat("how do I return it？", "you cannot")),
    ("exact", Text("To be or not"), Text("to be\nor not")),
    ("near", Text(EN), Text(EN.replace("please ", ""))),
    ("near", chat(EN, "yes of course"), chat(EN.replace("another", "a far"), "no, that is not possible at all")),
    ("near", Text(ZH), Text(ZH.replace("请问", "您好"))),
    ("near", Labeled(ZH, "post"), Labeled(ZH + "谢谢", "post")),
]


def sealed(store: Store, train: list[Content], test: list[Content]) -> Dataset:
    splits = {"train": train, "test": test}
    records = {
        split: [
            Record.of(row, origin=f"{split}:{i}", meta={"other": {"user": f"{split} {i % 3}"}})
            for i, row in enumerate(rows)
        ]
        for split, rows in splits.items()
    }
    return from_records(records, store, parents={}, key=str(records), report={})


@pytest.mark.parametrize(("kind", "one", "other"), LEAKS, ids=lambda value: str(value)[:40])
def test_a_planted_leak_is_found_among_clean_rows(store: Store, kind: str, one: Content, other: Content) -> None:
    clean = [Text(f"quite another text about {word}") for word in ("ships", "birds", "stones")]
    certificate = certify(sealed(store, [*clean, one], [Text("nothing of that kind"), other]))
    (pair,) = certificate["pairs"]
    assert not certificate["clean"]
    assert pair[kind] == 1
    assert {"kind": kind, "origin": "train:3"} in pair["examples"]


def test_a_dataset_made_of_records_says_in_card_and_notes_that_it_leaks(store: Store) -> None:
    dataset = sealed(store, [Text("the same")], [Text("the same")])
    assert "**Rows leak between splits.**" in (dataset.folder / "card.md").read_text()
    assert dataset.report["notes"][0].startswith("rows leak between splits: train and test: 1 exact")
    assert (dataset.folder / "certificate.json").exists()


def test_groups_on_two_sides_are_found(store: Store) -> None:
    dataset = sealed(store, [Text("one"), Text("two")], [Text("three")])
    rows = {"train": [("ann", 1), ("bob", 2)], "test": [("ann", 3)]}
    records = {
        split: [Record.of(Text(f"{i}{i}"), origin=f"{split}:{i}", meta={"other": {"user": user}}) for user, i in given]
        for split, given in rows.items()
    }
    split = Split(by="group", column="user")
    leaking = from_records(records, store, parents={}, key="groups", report={})
    assert certify(leaking, split)["pairs"][0]["group"] == 1
    assert certify(dataset, split)["pairs"][0]["group"] == 0


def test_rows_out_of_their_time_are_found(store: Store) -> None:
    def at(split: str, *days: int) -> list[Record]:
        return [
            Record.of(Text(f"{day}"), origin=f"{split}:{day}", meta={"other": {"t": f"2024-01-{day:02d}"}})
            for day in days
        ]

    split = Split(by="time", column="t")
    good = from_records({"train": at("a", 1, 2), "test": at("b", 3)}, store, parents={}, key="good", report={})
    wrong = from_records({"train": at("a", 1, 4), "test": at("b", 3)}, store, parents={}, key="wrong", report={})
    assert certify(good, split)["clean"]
    assert certify(wrong, split)["pairs"][0]["time"] == 1


def test_the_certificate_says_how_it_was_checked(make: Callable[..., Dataset]) -> None:
    rows = [{"question": f"what about {word}", "answer": word} for word in "abcdefghijklmnopqrst"]
    dataset = make(rows, split={"validation": 0.3, "test": 0.3})
    certificate = dataset.report["certificate"]
    assert certificate == certify(dataset)
    assert certificate["clean"] and len(certificate["pairs"]) == 3
    assert "MinHash" in certificate["how"]["near"]
    assert certificate["rows"] == dataset.report["splits"]
    assert "## Leak certificate" in (dataset.folder / "card.md").read_text()
