"""Encoded rows: what goes in comes out, every row is accounted for, and no stale cache is believed."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.training.conftest import Bench, Heard, chat, seal

from tuneloop.models import Tokenizer
from tuneloop.parts import find
from tuneloop.tasks import Task
from tuneloop.training.encoded import encode, encoded


@pytest.fixture
def tokenizer(tiny_model: Path) -> Tokenizer:
    return Tokenizer.load(tiny_model)


def caches(bench: Bench) -> list[Path]:
    return sorted((bench.store.root / "cache").glob("encoded-*"))


def test_examples_come_out_as_the_task_made_them(bench: Bench, tokenizer: Tokenizer) -> None:
    records = list(map(chat, range(7)))
    rows = encode(records, bench.task, tokenizer, 64, progress=Heard())
    made = [example for record in records for example in bench.task.encode(record, tokenizer, 64)]
    assert [rows[index] for index in range(len(rows))] == made
    assert rows.origins == [record.origin for record in records]
    assert rows.lengths.tolist() == [len(example.ids) for example in made]


def test_no_rows_are_an_empty_split(bench: Bench, tokenizer: Tokenizer) -> None:
    rows = encode([], bench.task, tokenizer, 64, progress=Heard())
    assert (len(rows), rows.rows, rows.lengths.tolist()) == (0, 0, [])
    assert rows.account()["longest"] == 0


def test_rows_in_are_rows_used_and_rows_dropped(bench: Bench, tokenizer: Tokenizer) -> None:
    records = [chat(0), chat(1, answer="long " * 99), chat(2), chat(3, answer="longer " * 99)]
    account = encode(records, bench.task, tokenizer, 64, progress=Heard()).account()
    assert account["rows"] == 4 == account["used"] + sum(account["dropped"].values())
    origins = [origin for group in account["dropped_origins"].values() for origin in group]
    assert sorted(origins) == ["chats.jsonl:2", "chats.jsonl:4"]


def test_the_second_time_they_come_from_the_cache(bench: Bench, tokenizer: Tokenizer) -> None:
    def get(progress: Heard) -> object:
        return encoded(bench.dataset, "train", bench.task, tokenizer, 64, store=bench.store, progress=progress)

    first, second = Heard(), Heard()
    one, two = get(first), get(second)
    assert (first.works, second.works) == (["encoding train rows"], [])
    assert [one[i] for i in range(len(one))] == [two[i] for i in range(len(two))]
    assert (one.origins, one.dropped, one.rows) == (two.origins, two.dropped, two.rows)


def test_another_task_template_length_or_dataset_is_another_cache(bench: Bench, tiny_model: Path) -> None:
    plain = Tokenizer.load(tiny_model)
    other = Tokenizer.load(tiny_model, chat_template=plain.hf.chat_template.replace("assistant\n", "assistant:\n"))
    dataset = seal(bench.store, [chat(99)])
    last = find(Task, "sft")(learn_from="last")
    ways = [
        (bench.dataset, bench.task, plain, 64),
        (bench.dataset, bench.task, other, 64),
        (bench.dataset, last, plain, 64),
        (bench.dataset, bench.task, plain, 65),
        (dataset, bench.task, plain, 64),
    ]
    for data, task, tokenizer, length in ways:
        encoded(data, "train", task, tokenizer, length, store=bench.store, progress=Heard())
    assert len(caches(bench)) == len(ways)


@pytest.mark.parametrize("damage", [b"", b"rubbish", bytes(4000)], ids=["empty", "short", "zeros"])
def test_a_damaged_cache_is_made_anew(bench: Bench, tokenizer: Tokenizer, damage: bytes) -> None:
    def get() -> list[object]:
        rows = encoded(bench.dataset, "train", bench.task, tokenizer, 64, store=bench.store, progress=Heard())
        return [rows[index] for index in range(len(rows))]

    first = get()
    caches(bench)[0].write_bytes(damage)
    assert get() == first


def test_a_single_flipped_bit_in_the_cache_is_found(bench: Bench, tokenizer: Tokenizer) -> None:
    def get() -> list[object]:
        rows = encoded(bench.dataset, "train", bench.task, tokenizer, 64, store=bench.store, progress=Heard())
        return [rows[index] for index in range(len(rows))]

    first = get()
    (path,) = caches(bench)
    for place in (0, 9, 700, path.stat().st_size // 2, path.stat().st_size - 1):
        damaged = bytearray(path.read_bytes())
        damaged[place] ^= 4
        path.write_bytes(damaged)
        assert get() == first
