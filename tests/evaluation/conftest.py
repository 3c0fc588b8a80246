"""A tuned tiny model, its dataset and its run in a fresh store, as training leaves them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from tuneloop.parts import find
from tuneloop.rows import Chat, Drop, Finding, Message, Record, Signal, jsonl
from tuneloop.store import Dataset, Model, Run, Store
from tuneloop.store.parquet import write_records
from tuneloop.tasks import Task

EVIL = "<script>alert('x')</script><img src=x onerror=alert(1)> & \"quotes\" {{ 7 * 7 }}"


class Life(NamedTuple):
    store: Store
    dataset: Dataset
    run: Run
    model: Model
    task: Task


def chat(question: str, answer: str, place: int, **parameters: Any) -> Record:
    content = Chat((Message("user", question), Message("assistant", answer)), parameters=parameters)
    return Record.of(content, origin=f"rows.jsonl:{place}")


def make_dataset(store: Store, splits: dict[str, list[Record]]) -> Dataset:
    with store.draft() as folder:
        for split, records in splits.items():
            write_records(folder / f"{split}.parquet", records)
        jsonl.write(folder / "dropped.jsonl", [Drop("duplicate", "duplicates", "rows.jsonl:99")])
        return store.seal(Dataset, folder, parents={}, key="rows", facts={})


def make_run(store: Store, dataset: Dataset) -> Run:
    losses = [(10, 2.0), (20, 1.5), (30, 1.6), (40, 1.9)]
    signals = [Signal(step, "train/loss", 3.0 - step / 20, 0.0) for step in range(1, 41)]
    signals += [Signal(step, "validation/loss", loss, 0.0) for step, loss in losses]
    recipe = {"name": "tiny", "seed": 7, "train": {"max_length": 64}, "note": EVIL}
    with store.draft() as folder:
        jsonl.write(folder / "signals.jsonl", signals)
        jsonl.write(folder / "findings.jsonl", [Finding("overfit", "warning", 20, 40, f"rises {EVIL}", "stop earlier")])
        (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe, allow_unicode=True), encoding="utf-8")
        (folder / "receipts.json").write_text(
            '{"weights": {"trained": 10, "total": 1000, "share": 0.01, "moved": {'
            '"m.layers.0.q_proj.lora_A.default.weight": 0.5, "m.layers.1.q_proj.lora_A.default.weight": 0.7}},'
            ' "best_step": 20}'
        )
        return store.seal(Run, folder, parents={"dataset": dataset.id}, key="run", facts={})


def make_model(store: Store, base: Path, parents: dict[str, str], adapter: str = "lora") -> Model:
    """A model whose adapter was moved by hand instead of by training."""
    import torch

    from tuneloop.models import find_base, load_base, save_model
    from tuneloop.models.adapters import Adapter
    from tuneloop.models.section import ModelSection

    section = ModelSection(base=str(base))
    task = find(Task, "sft")()
    loaded = load_base(find_base(section, folder=base, store=store), section, task, device=torch.device("cpu"), seed=0)
    loaded.model = find(Adapter, adapter)().attach(loaded.model)
    torch.manual_seed(1)
    with torch.no_grad():
        for weight in loaded.model.parameters():
            if weight.requires_grad:
                weight.add_(torch.randn_like(weight) * 0.05)
    with store.draft() as folder:
        facts = save_model(loaded, folder / "model") | {"task": task.spelled()}
        return store.seal(Model, folder, parents=parents, key="model", facts=facts)


@pytest.fixture
def life(tmp_path: Path, tiny_model: Path) -> Life:
    store = Store(tmp_path / "store")
    test = [chat(f"what is {i} plus {i}", f"it is {2 * i}", i) for i in range(6)]
    test += [chat("今天天气怎么样", "今天天气很好", 6), chat(EVIL, EVIL, 7, max_tokens=3)]
    train = [chat(f"what is {i} minus {i}", "it is nothing", i) for i in range(20, 24)]
    dataset = make_dataset(store, {"train": train, "test": test})
    run = make_run(store, dataset)
    model = make_model(store, tiny_model, {"dataset": dataset.id, "run": run.id})
    return Life(store, dataset, run, model, find(Task, "sft")())


@pytest.fixture
def full_model(life: Life, tiny_model: Path) -> Model:
    return make_model(life.store, tiny_model, {"dataset": life.dataset.id, "run": life.run.id}, adapter="full")
