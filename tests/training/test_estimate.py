"""Estimates come from the model and the rows themselves, and leave nothing behind."""

from pathlib import Path

import pytest
import torch

from tuneloop import life
from tuneloop.models import find_base
from tuneloop.recipe import Recipe, load
from tuneloop.store import Store
from tuneloop.training import estimate
from tuneloop.training.groups import state_bytes


def made(chats: Path, model: Path, *changes: str) -> Recipe:
    raw = {"data": {"sources": [str(chats)]}, "model": {"base": str(model)}, "train": {"max_length": 64}}
    return load(raw, changes)


def test_memory_counts_what_learns(tmp_path: Path, chats: Path, tiny_model: Path) -> None:
    store = Store(tmp_path / "store")
    found = {}
    for adapter in ("lora", "full"):
        recipe = made(chats, tiny_model, f"train.adapter={adapter}")
        dataset = life.prepare(recipe, store)
        base = find_base(recipe.model, folder=recipe.folder, store=store)
        found[adapter] = estimate.memory(
            recipe.train, task=recipe.task, model=recipe.model, base=base, dataset=dataset, store=store
        )
    assert found["full"].trainable == found["full"].parameters
    assert found["full"].memory["gradients"] == 4 * found["full"].parameters
    assert 0 < found["lora"].memory["optimizer"] < found["full"].memory["optimizer"]


class Layers(torch.nn.Module):
    """An embedding, a matrix and a bias; the embedding is the output head too."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = torch.nn.Embedding(100, 20)
        self.linear = torch.nn.Linear(20, 30)

    def get_output_embeddings(self) -> torch.nn.Module:
        return self.embedding


@pytest.mark.parametrize(
    ("optimizer", "matrix", "table", "other"),
    [
        ("adamw", 8, 8, 8),
        ("adamw_8bit", 2, 2, 2),
        ("{sgd: {momentum: 0.0}}", 0, 0, 0),
        ("sgd", 4, 4, 4),
        ("rmsprop", 4, 4, 4),
        ("adafactor", 0, 0, 0),
        ("lion", 4, 4, 4),
        ("muon", 4, 8, 8),
    ],
)
@pytest.mark.parametrize("l2_start", [0.0, 0.1])
def test_the_bytes_of_a_state_are_counted_on_the_optimizer_itself(
    chats: Path, tiny_model: Path, optimizer: str, matrix: int, table: int, other: int, l2_start: float
) -> None:
    if "8bit" in optimizer:
        pytest.importorskip("bitsandbytes")
    changes = ("train.adapter=full", f"train.regularization.l2_start={l2_start}")
    recipe = made(chats, tiny_model, f"train.optimizer={optimizer}", *changes)
    start = 4 if l2_start else 0
    expected = (matrix + start) * 600 + (table + start) * 2000 + (other + start) * 30
    with torch.device("meta"):
        layers = Layers()
    assert state_bytes(layers, recipe.train) == pytest.approx(expected, rel=0.05, abs=200)


def test_a_probe_makes_real_steps_and_keeps_nothing(tmp_path: Path, chats: Path, tiny_model: Path) -> None:
    store = Store(tmp_path / "store")
    recipe = made(chats, tiny_model, "train.num_train_epochs=2", "train.batch.size=8")
    dataset = life.prepare(recipe, store)
    before = [each.id for each in store.artifacts()]
    base = find_base(recipe.model, folder=recipe.folder, store=store)
    found = estimate.probe(
        recipe.train, task=recipe.task, model=recipe.model, base=base, dataset=dataset, store=store, seed=1, steps=2
    )
    rows = sum(1 for _ in dataset.records("train"))
    assert found.examples == rows
    assert found.steps == 2 * -(-rows // 8)
    assert found.longest <= 64
    assert found.seconds >= found.steps * found.step_seconds > 0
    assert [each.id for each in store.artifacts()] == before
    assert not list((store.root / "work").iterdir())
