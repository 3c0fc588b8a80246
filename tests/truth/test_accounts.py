"""No row is lost on the way from the file to the loss: each is learned from, or set aside with its reason."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import tuneloop
from tuneloop.models.tokenizer import Tokenizer
from tuneloop.monitoring.progress import Silent
from tuneloop.parts import find, names
from tuneloop.rows import Chat, Labeled, Message, Preference, Record, Text
from tuneloop.store import Dataset, Run, Store
from tuneloop.tasks import Task
from tuneloop.training.encoded import Encoded, encode

LENGTH = 64
OPTIONS: dict[str, dict[str, Any]] = {"distillation": {"teacher": "embedded"}}


def row(asked: str, answer: str, **more: Any) -> dict[str, Any]:
    turns = [{"role": "user", "content": asked}, {"role": "assistant", "content": answer, **more}]
    return {"messages": turns}


ROWS: list[Any] = [
    *[row(f"what is {i} plus {i + 1}", f"it is {2 * i + 1}" + " and more" * (i % 4)) for i in range(40)],
    row("what is nothing", ""),
    row("say it all", "all of it " * 60),
    row("say it all again", "all of it again " * 60),
    row("be silent", "never", train=0),
    row("speak", "always", train=1),
    row("half", "so so", weight=0.5),
    {"messages": [{"role": "user", "content": "nobody answers"}]},
    {"messages": [{"role": "wizard", "content": "hi"}, {"role": "assistant", "content": "ho"}]},
    row("what is 3 plus 4", "it is 7 and more and more and more"),
    {
        "messages": [
            {"role": "user", "content": "sky?"},
            {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "sky", "arguments": "{}"}}]},
            {"role": "tool", "content": "blue"},
            {"role": "assistant", "content": "blue"},
        ]
    },
    {
        "messages": [
            {"role": "system", "content": "be kind"},
            {"role": "user", "content": "one"},
            {"role": "assistant", "content": "first", "train": False},
            {"role": "user", "content": "two"},
            {"role": "assistant", "content": "second"},
        ]
    },
]
LEARNED = {*range(1, 41), 45, 51}
"""Lines that are learned from: the sums, the one that says so, and the last, of which only the second answer is."""
IN_DATA = {41: "empty", 46: "0.5", 47: "no assistant turn", 48: "wizard", 49: "same"}
"""Lines that data preparation sets aside, and a word of the reason or its detail."""
IN_TRAINING = {42: "longer", 43: "longer", 44: "no turn to learn from", 50: "tool calls"}
"""Lines that training sets aside, and a word of the reason."""


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> tuple[Store, Run, Dataset, Path]:
    """One training from a file of every kind of row, two epochs."""
    folder = tmp_path_factory.mktemp("accounts")
    path = folder / "rows.jsonl"
    path.write_text("\n".join(json.dumps(each) for each in ROWS) + "\n", encoding="utf-8")
    recipe = tuneloop.load(
        {
            "data": {"sources": [str(path)], "split": {"validation": 0, "test": 0}},
            "model": {"base": str(tiny_model)},
            "train": {"batch": {"size": 5}, "num_train_epochs": 2, "max_length": LENGTH, "stop": None},
        }
    )
    store = Store(folder / "store")
    run, model = tuneloop.train(recipe, store)
    return store, run, store.get(Dataset, model.parents["dataset"]), tiny_model


def line_of(origin: str) -> int:
    return int(origin.rsplit(":", 1)[1])


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def labels_of(turns: list[dict[str, Any]], hf: Any) -> int:
    """Learned tokens of a conversation, counted by hand: each answer's own ids and one end token."""
    mute = [turn.get("train", 1) in (0, False) for turn in turns]
    answers = [t["content"] for t, silent in zip(turns, mute, strict=True) if t["role"] == "assistant" and not silent]
    return sum(len(hf(answer, add_special_tokens=False)["input_ids"]) + 1 for answer in answers)


def test_every_line_is_in_the_dataset_or_in_its_ledger_once(life: Any) -> None:
    _, _, dataset, _ = life
    kept = [line_of(record.origin) for record in dataset.records("train")]
    told = lines(dataset.folder / "dropped.jsonl")
    dropped = {line_of(drop["origin"]): f"{drop['reason']}: {drop['detail']}" for drop in told}
    assert sorted([*kept, *dropped]) == list(range(1, len(ROWS) + 1))
    assert dropped.keys() == IN_DATA.keys()
    assert all(word in dropped[line] for line, word in IN_DATA.items()), dropped


def test_every_row_of_the_dataset_is_learned_from_or_in_the_runs_ledger(life: Any) -> None:
    _, run, dataset, _ = life
    account = json.loads((run.folder / "rows.json").read_text())["train"]
    assert account["rows"] == len(list(dataset.records("train"))) == account["used"] + sum(account["dropped"].values())
    assert account["used"] == len(LEARNED)
    told = {line_of(origin): reason for reason, all_ in account["dropped_origins"].items() for origin in all_}
    assert told.keys() == IN_TRAINING.keys()
    assert all(word in told[line] for line, word in IN_TRAINING.items()), told


def test_a_row_that_loses_its_answer_is_named_however_many_there_are(tiny_model: Path, tmp_path: Path) -> None:
    """Also beyond the first few of a reason."""
    path = tmp_path / "rows.jsonl"
    rows = [row(f"number {i}", "yes" if i < 20 else "far too long " * 40 + str(i)) for i in range(80)]
    path.write_text("\n".join(json.dumps(each) for each in rows) + "\n", encoding="utf-8")
    recipe = tuneloop.load(
        {
            "data": {"sources": [str(path)], "split": {"validation": 0, "test": 0}},
            "model": {"base": str(tiny_model)},
            "train": {"max_steps": 1, "max_length": LENGTH, "stop": None},
        }
    )
    run, _ = tuneloop.train(recipe, Store(tmp_path / "store"))
    ledger = lines(run.folder / "dropped.jsonl")
    assert sorted(line_of(drop["origin"]) for drop in ledger) == list(range(21, 81))
    assert {(drop["split"], drop["reason"]) for drop in ledger} == {("train", "longer than max_length")}
    assert all("max_length is 64" in drop["detail"] for drop in ledger)


def test_supervised_tokens_of_the_receipt_are_the_labels_counted_by_hand(life: Any) -> None:
    from transformers import AutoTokenizer

    _, run, _, base = life
    hf = AutoTokenizer.from_pretrained(base)
    counted = sum(labels_of(ROWS[line - 1]["messages"], hf) for line in LEARNED)
    account = json.loads((run.folder / "rows.json").read_text())["train"]
    receipt = json.loads((run.folder / "receipts.json").read_text())
    assert account["learned_tokens"] == counted
    assert receipt["supervised_tokens"] == 2 * counted
    assert receipt["rows_seen"] == 2 * len(LEARNED)
    assert receipt["tokens"] == 2 * account["tokens"]


MIXED = [
    *[Record.of(Text(text), origin=f"text:{i}") for i, text in enumerate(["the fox", "", "fox " * 99])],
    *[Record.of(Labeled(f"a fox {i}", "ab"[i % 2]), origin=f"label:{i}") for i in range(4)],
    *[
        Record.of(Chat((Message("user", "hi"), Message("assistant", text, learn=learn))), origin=f"chat:{i}")
        for i, (text, learn) in enumerate([("yes", None), ("no", False), ("fox " * 99, None), ("a", True)])
    ],
    Record.of(Chat((Message("user", "hi"),)), origin="chat:silent"),
    *[
        Record.of(
            Preference((Message("user", "hi"),), (Message("assistant", one),), (Message("assistant", two),)),
            origin=f"preference:{i}",
        )
        for i, (one, two) in enumerate([("good", "bad"), ("good " * 99, "bad"), ("same", "same")])
    ],
    Record.of(Preference((Message("user", "hi"),), (Message("assistant", "good"),)), origin="preference:unpaired"),
]


def encoded(name: str, tokenizer: Tokenizer, **options: Any) -> tuple[Task, Encoded]:
    task = find(Task, name)(**{**OPTIONS.get(name, {}), **options})
    task = task.fitted(iter(MIXED), None)
    return task, encode(iter(MIXED), task, tokenizer, LENGTH, progress=Silent())


@pytest.mark.parametrize("name", names(Task))
def test_every_task_uses_a_row_or_says_why_not(tiny_model: Path, name: str) -> None:
    tokenizer = Tokenizer.load(tiny_model)
    _, rows = encoded(name, tokenizer)
    by_record = Counter(rows.records)
    dropped = Counter(drop.id for drop in rows.dropped)
    assert rows.rows == len(MIXED)
    assert by_record.keys() | dropped.keys() == {record.id for record in MIXED}
    assert not by_record.keys() & dropped.keys(), "a row is learned from and set aside"
    assert all(drop.reason and drop.step and drop.origin for drop in rows.dropped)
    assert rows.account()["used"] == len(by_record) > 0
    assert rows.account()["rows"] == len(by_record) + sum(rows.account()["dropped"].values())


@pytest.mark.parametrize("name", names(Task))
def test_the_labels_of_the_batches_are_those_that_the_account_tells(tiny_model: Path, name: str) -> None:
    tokenizer = Tokenizer.load(tiny_model)
    ways = [{}, {"learn_from": "all"}] if name == "sft" else [{}]
    for options in ways:
        task, rows = encoded(name, tokenizer, **options)
        examples = [rows[index] for index in range(len(rows))]
        batches = [task.collate(examples, tokenizer.pad_id)] + ([task.pack(examples)] if task.packs else [])
        for batch in batches:
            assert batch.tokens == int(batch.mask.sum())
            if not task.choices:  # a class is no token
                assert int((batch.labels != -100).sum()) == rows.account()["learned_tokens"]
