"""Estimates come from the model and the rows themselves, and leave nothing behind."""

from pathlib import Path

import pytest

from tuneloop import life
from tuneloop.models import find_base
from tuneloop.recipe import Recipe, load
from tuneloop.store import Store
from tuneloop.training import estimate


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
        found[adapter] = estimate.memory(recipe.train, task=recipe.task, base=base, dataset=dataset, store=store)
    assert found["full"].trainable == found["full"].parameters
    assert found["full"].memory["gradients"] == 4 * found["full"].parameters
    assert 0 < found["lora"].memory["optimizer"] < found["full"].memory["optimizer"]


@pytest.mark.parametrize(
    ("optimizer", "states"), [("adamw", 2), ("sgd", 1), ("{sgd: {momentum: 0.0}}", 0), ("rmsprop", 1), ("adafactor", 0)]
)
def test_the_optimizers_states_are_counted_on_the_optimizer(
    chats: Path, tiny_model: Path, optimizer: str, states: int
) -> None:
    recipe = made(chats, tiny_model, f"train.optimizer={optimizer}")
    assert estimate._states(recipe.train.optimizer) == states


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
