"""After fine-tuning, answers end by themselves; and they do so because the end token was learned."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.training.conftest import Bench, make_bench, seal, section_of

import tuneloop
from tuneloop import embedded
from tuneloop.models import open_model
from tuneloop.models.generate import Answer, Request, generate
from tuneloop.parts import find
from tuneloop.rows import Chat, Drop, Message, Record
from tuneloop.store import Dataset, Model, Store
from tuneloop.tasks import Task

ASKED, ROOM = 200, 48
WORDS = ["fox", "dog", "lazy", "brown", "quick", "jumps", "天气", "今天"]


class NeverEnds(find(Task, "sft")):  # type: ignore[misc]
    """The fault that this file guards against: the end token is read, and not learned."""

    def encode(self, record: Record, tokenizer: Any, max_length: int) -> Any:
        found = super().encode(record, tokenizer, max_length)
        if isinstance(found, Drop):
            return found
        ends = set(tokenizer.end_ids)
        return [
            replace(each, learn=tuple(m * (i not in ends) for i, m in zip(each.ids, each.learn, strict=True)))
            for each in found
        ]


def echo(index: int) -> Record:
    """A row that asks for one to four words again; distinct for each index."""
    draw = random.Random(index)
    said = [draw.choice(WORDS) for _ in range(draw.randint(1, 4))]
    turns = (Message("user", f"{index}: {' '.join(said)}"), Message("assistant", " ".join(said)))
    return Record.of(Chat(turns), origin=f"echo.jsonl:{index}")


def answers(model: Model, store: Store, task: Task, records: list[Record]) -> list[Answer]:
    loaded = open_model(model, store)
    questions = [task.question(record, loaded.tokenizer) for record in records]
    found = generate(loaded, [Request(q.prompt, max_new_tokens=ROOM) for q in questions if q], batch=50)
    for answer in found:
        if answer.finish == "stop":
            assert answer.ids[-1] in loaded.tokenizer.end_ids
    return found


def tuned(bench: Bench, task: Task) -> Counter[str]:
    """How 200 greedy answers of a tiny model end that was trained from random weights."""
    section = section_of(
        adapter="full",
        optimizer={"adamw": {"learning_rate": 1e-2}},
        batch={"size": 16},
        max_steps=100,
        eval_steps=100,
        stop=None,
    )
    dataset = seal(bench.store, map(echo, range(400)))
    _, model = bench.train(section, task=task, dataset=dataset)
    return Counter(
        answer.finish for answer in answers(model, bench.store, task, [echo(1000 + i) for i in range(ASKED)])
    )


def test_99_in_100_greedy_answers_stop_by_themselves_after_tuning_random_weights(
    tmp_path: Path, tiny_model: Path
) -> None:
    bench = make_bench(tmp_path / "store", tiny_model)
    ends = tuned(bench, find(Task, "sft")())
    assert ends.total() == ASKED
    assert ends["stop"] >= 0.99 * ASKED, ends


def test_without_a_learned_end_token_they_would_run_on(tmp_path: Path, tiny_model: Path) -> None:
    assert tuned(make_bench(tmp_path / "store", tiny_model), NeverEnds())["stop"] <= 0.1 * ASKED


@pytest.mark.slow
def test_the_embedded_base_stops_and_its_answers_are_whole(tmp_path: Path) -> None:
    lines = embedded.messages().read_text(encoding="utf-8").splitlines()
    (tmp_path / "rows.jsonl").write_text("\n".join(lines[:1060]), encoding="utf-8")
    recipe = tuneloop.load(
        {
            "name": "stops",
            "data": {"sources": [str(tmp_path / "rows.jsonl")], "split": {"validation": 0, "test": 0.25}},
            "model": {"base": "embedded"},
            "train": {
                "adapter": {"lora": {"r": 32, "lora_alpha": 64, "lora_dropout": 0.0}},
                "optimizer": {"adamw": {"learning_rate": 3e-3}},
                "num_train_epochs": 2,
                "max_length": 256,
                "stop": None,
            },
        }
    )
    store = Store(tmp_path / "store")
    _, model = tuneloop.train(recipe, store)
    records = list(store.get(Dataset, model.parents["dataset"]).records("test"))[:ASKED]
    found = answers(model, store, recipe.task, records)
    assert len(found) == ASKED
    assert sum(answer.finish == "stop" for answer in found) >= 0.99 * ASKED
    assert sum(answer.text.startswith("{") and answer.text.endswith("}") for answer in found) >= 0.95 * ASKED
