"""Runs that learn labels: what the receipts prove, how they go on, and what is learned of real rows."""

from __future__ import annotations

import csv
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from tests.training.conftest import Heard, lasting, seal, section_of, weights

from tuneloop.models import find_base
from tuneloop.models.section import ModelSection
from tuneloop.monitoring.section import MonitorSection
from tuneloop.parts import find
from tuneloop.rows import Labeled, Record
from tuneloop.store import Dataset, Model, Run, Store
from tuneloop.store.kinds import read_json
from tuneloop.tasks import Task
from tuneloop.training.interrupt import Stopped
from tuneloop.training.train import train

FOOD = {"pos": ["good", "nice", "great", "fine"], "neg": ["bad", "awful", "poor", "terrible"], "meh": ["okay", "fair"]}


def rows(count: int, first: int = 0) -> list[Record]:
    """Texts with a label that one of their words decides."""
    found = []
    for index in range(first, first + count):
        label = list(FOOD)[index % 3]
        word = FOOD[label][index // 3 % len(FOOD[label])]
        found.append(
            Record.of(Labeled(f"the food {index} is {word}" + " a b" * (index % 5), label), origin=f"f:{index}")
        )
    return found


def learn(store: Store, dataset: Dataset, base: Path, **changes: Any) -> tuple[Run, Model]:
    model = ModelSection(base=str(base))
    given: dict[str, Any] = {
        "section": section_of(),
        "task": find(Task, "text_classification")(),
        "model": model,
        "base": find_base(model, folder=base, store=store),
        "dataset": dataset,
        "monitor": MonitorSection(),
        "store": store,
        "seed": 3,
        "recipe": {"name": "tiny"},
    }
    return train(**(given | changes))


@pytest.mark.parametrize(("scheme", "bound"), [("xavier", (6 / (32 + 3)) ** 0.5), ("he", (6 / 32) ** 0.5)])
@pytest.mark.parametrize("adapter", [{"lora": {"r": 4}}, "full"])
def test_receipts_read_the_head_and_how_it_began(
    tiny_encoder: Path, tmp_path: Path, scheme: str, bound: float, adapter: Any
) -> None:
    store = Store(tmp_path)
    what = find(Task, "text_classification").model_validate({"init_new_weights": scheme, "class_weight": "balanced"})
    run, model = learn(
        store,
        seal(store, rows(24), rows(9, 24)),
        tiny_encoder,
        task=what,
        section=section_of(adapter=adapter, max_steps=2),
    )
    proof = read_json(run.folder / "receipts.json")
    head = proof["weights"]["new_layers"]
    assert set(head) == {"classifier.weight", "bert.pooler.dense.weight"}
    assert 0.8 * bound < head["classifier.weight"]["farthest"] <= bound
    assert any("classifier" in name and far > 0 for name, far in proof["weights"]["moved"].items())
    assert proof["task"]["labels"] == ["meh", "neg", "pos"]
    assert proof["task"]["class_weight"] == {"meh": 1.0, "neg": 1.0, "pos": 1.0}
    assert model.facts["task"]["text_classification"]["labels"] == ["meh", "neg", "pos"]


def test_labels_that_only_validation_has_are_told(tiny_encoder: Path, tmp_path: Path) -> None:
    store, heard = Store(tmp_path), Heard()
    odd = Record.of(Labeled("the food is odd", "strange"), origin="odd:1")
    learn(
        store,
        seal(store, rows(24), [*rows(9, 24), odd]),
        tiny_encoder,
        section=section_of(max_steps=2),
        progress=heard,
    )
    assert any("9 of 10 rows" in note and "a label that no training row has" in note for note in heard.notes)


@pytest.mark.parametrize("base", ["tiny_model", "tiny_encoder"])
def test_a_run_that_was_stopped_goes_on_with_the_very_same_steps(
    base: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    class Interrupt(Heard):
        def advance(self, done: int, figures: Any = None) -> None:
            if figures and "train/loss" in figures and done == 5:
                os.kill(os.getpid(), signal.SIGTERM)

    folder = request.getfixturevalue(base)
    stores = [Store(tmp_path / name) for name in ("whole", "stopped")]
    one, two = (seal(store, rows(40), rows(9, 40)) for store in stores)
    run, whole = learn(stores[0], one, folder)
    with pytest.raises(Stopped):
        learn(stores[1], two, folder, progress=Interrupt())
    again, resumed = learn(stores[1], two, folder)
    assert weights(resumed) == weights(whole)
    assert lasting(again) == lasting(run)


def test_training_that_goes_on_keeps_the_labels_of_its_start(tiny_encoder: Path, tmp_path: Path) -> None:
    store, few = Store(tmp_path), section_of(max_steps=2)
    _, start = learn(store, seal(store, rows(24)), tiny_encoder, section=few)
    only = [record for record in rows(60, 100) if record.content.label != "meh"]  # type: ignore[union-attr]
    _, model = learn(store, seal(store, only), tiny_encoder, section=few, start=start)
    assert model.facts["labels"] == start.facts["labels"] == ["meh", "neg", "pos"]


def test_sample_prompts_are_answered_with_labels(tiny_encoder: Path, tmp_path: Path) -> None:
    from tuneloop.rows import jsonl

    store = Store(tmp_path)
    run, _ = learn(
        store,
        seal(store, rows(24), rows(9, 24)),
        tiny_encoder,
        section=section_of(max_steps=2),
        monitor=MonitorSection(sample_prompts=["the food is good"]),
    )
    answers = [line["answer"] for line in jsonl.read(run.folder / "samples.jsonl", dict[str, Any])]
    assert answers
    assert set(answers) <= {"meh", "neg", "pos"}


def spam(real: Path) -> list[Record]:
    with (real / "classify" / "sms_spam" / "sms.tsv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    return [Record.of(Labeled(text, label), origin=f"sms:{place}") for place, (label, text) in enumerate(lines)]


@pytest.mark.slow
def test_a_small_language_model_learns_to_tell_spam(real: Path, tmp_path: Path) -> None:
    records = spam(real)
    store = Store(tmp_path)
    section = section_of(
        adapter={"lora": {"r": 8}},
        optimizer={"adamw": {"learning_rate": 3e-3}},
        batch={"size": 16},
        max_length=64,
    )
    what = find(Task, "text_classification")(class_weight="balanced")
    dataset = seal(store, records[:800], records[800:1100])
    run, _ = learn(store, dataset, real / "models" / "stories260K", task=what, section=section)
    accuracy = [signal.value for signal in run.signals() if signal.name == "validation/accuracy"]
    ham = sum(record.content.label == "ham" for record in records[800:1100]) / 300  # type: ignore[union-attr]
    assert max(accuracy) > 0.91 > 0.88 > ham
