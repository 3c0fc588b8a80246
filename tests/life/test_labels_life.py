"""A classifier's whole life: rows with labels, a run, a report label by label, a bundle that others open."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

import tuneloop
from tuneloop.errors import ModelError
from tuneloop.store import Store
from tuneloop.store.kinds import read_json

FOOD = {"pos": ["good", "nice", "great", "fine"], "neg": ["bad", "awful", "poor", "terrible"], "meh": ["okay", "fair"]}


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    """A file of 180 reviews as Hugging Face's data sets have them, the last of a label of its own."""
    path = tmp_path / "reviews.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(["text", "label"])
        for index in range(180):
            label = list(FOOD)[index % 3]
            lines.writerow([f"the food {index} is {FOOD[label][index // 3 % len(FOOD[label])]}", label])
    return path


def recipe(base: Path, rows: Path, **changes: Any) -> tuneloop.Recipe:
    values: dict[str, Any] = {
        "name": "reviews",
        "seed": 3,
        "data": {"sources": [str(rows)], "split": {"validation": 0.15, "test": 0.2}},
        "model": {"base": str(base)},
        "task": "text_classification",
        "train": {
            "adapter": {"lora": {"r": 4}},
            "optimizer": {"adamw": {"learning_rate": 1e-2}},
            "batch": {"size": 8},
            "num_train_epochs": 4,
            "max_length": 32,
        },
    }
    return tuneloop.load(values | changes)


@pytest.mark.parametrize("adapter", [{"lora": {"r": 4}}, "full"])
@pytest.mark.parametrize("base", ["tiny_encoder", "tiny_model"])
def test_from_rows_to_a_bundle_that_transformers_opens(
    base: str, adapter: Any, reviews: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    store = Store(tmp_path / "store")
    made = recipe(request.getfixturevalue(base), reviews)
    made = tuneloop.load(made.spelled() | {"train": {**made.spelled()["train"], "adapter": adapter}})
    life = tuneloop.run(made, store)
    told = read_json(life.report.folder / "report.json")
    assert set(told["scores"]) == {"tuned"}
    assert set(told["scores"]["tuned"]) >= {"loss", "accuracy", "macro_f1"}
    assert told["metrics"] == ["accuracy"]
    assert told["verdict"].startswith("Accuracy ")
    assert told["labels"]["labels"] == ["meh", "neg", "pos"]
    assert sum(map(sum, told["labels"]["matrix"])) == told["scores"]["tuned"]["accuracy"]["n"]
    page = (life.report.folder / "report.html").read_text(encoding="utf-8")
    assert "Right label by line" in page
    assert "nats per label" in page
    assert life.bundle is not None
    assert life.bundle.facts["verified"]["merged"]["greedy_equal"] == 10
    check_bundle(life.bundle.folder / "merged", life, store)


def check_bundle(folder: Path, life: tuneloop.Life, store: Store) -> None:
    """The written classifier says of every test row, all in one padded batch, what the report says."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    from tuneloop.rows import jsonl

    answers = list(jsonl.read(life.report.folder / "answers.jsonl", dict[str, Any]))
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    batch = tokenizer([each["prompt"] for each in answers], padding=True, return_tensors="pt")
    with torch.no_grad():
        numbers = model(**{name: batch[name] for name in ("input_ids", "attention_mask")}).logits.argmax(-1).tolist()
    assert [model.config.id2label[number] for number in numbers] == [each["tuned"] for each in answers]


def test_a_label_that_training_did_not_know_is_a_mistake_and_is_told(
    reviews: Path, tiny_encoder: Path, tmp_path: Path
) -> None:
    store = Store(tmp_path / "store")
    made = recipe(tiny_encoder, reviews, task={"text_classification": {"labels": ["pos", "neg"]}})
    life = tuneloop.run(made, store)
    told = read_json(life.report.folder / "report.json")
    assert told["labels"]["labels"] == ["pos", "neg", "meh"]
    strange = told["labels"]["each"][2]
    assert strange["rows"] > 0
    assert strange["recall"] == strange["chosen"] == 0
    assert any("a label that no training row has" in finding["evidence"] for finding in told["findings"])


def test_a_classifier_is_neither_served_nor_talked_to(reviews: Path, tiny_encoder: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    made = recipe(tiny_encoder, reviews, serve={"port": 0})
    tuneloop.run(made, store)
    with pytest.raises(ModelError, match="chooses among labels"):
        tuneloop.chat(store, "reviews/champion")
    with pytest.raises(ModelError, match="chooses among labels"):
        tuneloop.serve(made, store)


def test_what_it_costs_is_estimated_for_labels_too(reviews: Path, tiny_encoder: Path, tmp_path: Path) -> None:
    from tuneloop.models import find_base
    from tuneloop.training import estimate

    store = Store(tmp_path / "store")
    made = recipe(tiny_encoder, reviews)
    base = find_base(made.model, folder=made.folder, store=store)
    asked: dict[str, Any] = {"task": made.task, "model": made.model, "base": base, "store": store}
    asked["dataset"] = tuneloop.prepare(made, store)
    found = estimate.memory(made.train, **asked)
    assert found.architecture == "BertForSequenceClassification"
    assert found.memory["logits"] == 3 * 4 * 8 * 3
    assert estimate.probe(made.train, **asked, seed=3, steps=1).steps == found_steps(made)


def found_steps(made: tuneloop.Recipe) -> int:
    from tuneloop.training.plan import Plan

    return Plan.of(made.train, 117, 1).steps
