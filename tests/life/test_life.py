"""One whole life: rows, training, evaluation, export, service, feedback, retraining, promotion, roll-back."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import tuneloop
from tuneloop.errors import DataError
from tuneloop.store import Dataset, Model, Release, Store


@pytest.fixture
def recipe(tmp_path: Path, tiny_model: Path, chats: Path) -> tuneloop.Recipe:
    return tuneloop.load(
        {
            "name": "sums",
            "data": {"sources": [str(chats)], "split": {"validation": 0.15, "test": 0.15}},
            "model": {"base": str(tiny_model)},
            "train": {
                "adapter": {"lora": {"r": 4, "lora_dropout": 0.0}},
                "optimizer": {"adamw": {"learning_rate": 1e-2}},
                "batch": {"size": 8},
                "max_steps": 24,
                "max_length": 128,
                "precision": "fp32",
            },
            "evaluate": {"limit": 4, "max_new_tokens": 12},
            "serve": {"port": 0},
        }
    )


@contextmanager
def serving(recipe: tuneloop.Recipe, store: Store) -> Iterator[str]:
    """The service in a thread of this process; gives its address."""
    from tuneloop.serving.serve import Service

    service = Service(recipe.serve, ref=f"{recipe.name}/champion", store=store, folder=recipe.folder)
    ready = threading.Event()
    address: list[str] = []

    def up(url: str) -> None:
        address.append(url)
        ready.set()

    thread = threading.Thread(target=service.run, args=(up,), daemon=True)
    thread.start()
    assert ready.wait(60), "the service did not come up"
    try:
        yield address[0]
    finally:
        service.stop()
        thread.join(30)


def ask(url: str, text: str) -> tuple[str, str]:
    from openai import OpenAI

    client = OpenAI(base_url=f"{url}/v1", api_key="none")
    model = client.models.list().data[0].id
    answer = client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": text}], max_tokens=8, temperature=0
    )
    return answer.id, answer.choices[0].message.content or ""


def logits(store: Store, name: str) -> bytes:
    import torch

    from tuneloop.models import open_model

    found = store.open(name)
    model = store.get(Model, found.parents["model"] if isinstance(found, Release) else found.id)
    loaded = open_model(model, store)
    with torch.inference_mode():
        return loaded.model(torch.arange(3, 40)[None]).logits.numpy().tobytes()


@pytest.mark.slow
def test_the_whole_circle(recipe: tuneloop.Recipe, tmp_path: Path) -> None:
    import httpx

    store = Store(tmp_path / "store")
    life = tuneloop.run(recipe, store)
    assert life.report.scores["tuned"]["loss"]["mean"] < life.report.scores["base"]["loss"]["mean"]
    assert store.refs.all()["sums/champion"] == life.release.id
    before = logits(store, "sums/champion")

    again = tuneloop.run(recipe, store)
    assert again == life or [a.id for a in (again.dataset, again.model, again.report)] == [
        a.id for a in (life.dataset, life.model, life.report)
    ]

    question = "what is 100 plus 101"
    with serving(recipe, store) as url:
        answer_id, _ = ask(url, question)
        told = {"exchange": answer_id, "kind": "correction", "value": "it is 201"}
        assert httpx.post(f"{url}/feedback", json=told).status_code in (200, 201)

    second = tuneloop.retrain(recipe, store)
    assert second.model.id != life.model.id
    assert second.model.parents["start"] == life.model.id
    collected = [
        r for s in second.dataset.splits for r in second.dataset.records(s) if r.origin == f"exchange:{answer_id}"
    ]
    assert [r.content.messages[-1].content for r in collected] == ["it is 201"]
    assert second.dataset.parents["dataset"] == life.dataset.id
    assert store.refs.all()["sums/champion"] == life.release.id, "a retrained model is not served before it is promoted"

    tuneloop.promote(recipe, store)
    assert store.refs.all()["sums/champion"] == second.release.id
    with pytest.raises(DataError, match="nothing was corrected since"):
        tuneloop.retrain(recipe, store)
    assert logits(store, "sums/champion") != before

    held = store.refs.all()
    assert tuneloop.evaluate(recipe, store).id == second.report.id, "the newest model is meant, not the first"
    assert tuneloop.run(recipe, store).model.id == second.model.id
    assert store.refs.all() == held, "doing it again pulls no ref back"

    tuneloop.rollback(recipe, store, why="the life test says so")
    assert store.refs.all()["sums/champion"] == life.release.id
    assert logits(store, "sums/champion") == before

    traced = tuneloop.lineage(store, answer_id)
    behind = [manifest.id for manifest in traced.artifacts]
    assert behind[0] == life.release.id
    assert {life.model.id, life.run.id, life.dataset.id} <= set(behind)
    (source,) = traced.sources
    assert source.name.endswith("chats.jsonl")
    assert all(origin.rpartition(":")[2].isdigit() for origin in source.first)


@pytest.mark.slow
def test_the_same_recipe_and_seed_give_the_same_adapter_to_the_bit(recipe: tuneloop.Recipe, tmp_path: Path) -> None:
    weights = []
    for name in ("one", "two"):
        store = Store(tmp_path / name)
        _, model = tuneloop.train(recipe, store)
        weights.append((model.weights / "adapter_model.safetensors").read_bytes())
    assert weights[0] == weights[1]


def test_the_dataset_does_not_depend_on_the_place(recipe: tuneloop.Recipe, tmp_path: Path, chats: Path) -> None:
    ids = set()
    for name in ("here", "there"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "chats.jsonl").write_bytes(chats.read_bytes())
        moved = tuneloop.load({"data": {"sources": ["chats.jsonl"]}, "model": {"base": "x"}}).at(folder)
        ids.add(tuneloop.prepare(moved, Store(folder / "store")).id)
    assert len(ids) == 1


def test_acts_that_need_a_champion_say_so(recipe: tuneloop.Recipe, tmp_path: Path) -> None:
    from tuneloop.errors import StoreError

    store = Store(tmp_path / "store")
    for act in (
        lambda: tuneloop.promote(recipe, store),
        lambda: tuneloop.rollback(recipe, store),
        lambda: tuneloop.chat(store),
    ):
        with pytest.raises(StoreError) as caught:
            act()
        assert caught.value.problems[0].fix
    assert not store.artifacts(Dataset)


def test_a_missing_base_or_an_empty_test_split_is_told_before_any_training(
    recipe: tuneloop.Recipe, tmp_path: Path, chats: Path
) -> None:
    from tuneloop.errors import ModelError

    store = Store(tmp_path / "store")
    nowhere = tuneloop.load({"data": {"sources": [str(chats)]}, "model": {"base": str(tmp_path / "nowhere")}})
    with pytest.raises(ModelError):
        tuneloop.run(nowhere, store)
    split = recipe.data.split.model_copy(update={"test": 0.0})
    whole = recipe.model_copy(update={"data": recipe.data.model_copy(update={"split": split})})
    with pytest.raises(DataError, match="no rows in its test split"):
        tuneloop.run(whole, store)
    assert not store.artifacts(Model)


def test_a_model_trained_from_random_weights_is_opened_with_what_it_learned(
    tiny_model: Path, chats: Path, tmp_path: Path
) -> None:
    from safetensors.torch import load_file

    from tuneloop.models import open_model

    store = Store(tmp_path / "store")
    recipe = tuneloop.load(
        {
            "data": {"sources": [str(chats)]},
            "model": {"base": str(tiny_model), "init": "random"},
            "task": "pretrain",
            "train": {"adapter": "full", "max_steps": 3, "max_length": 64},
        }
    )
    _, model = tuneloop.train(recipe, store)
    opened = open_model(model, store).model.state_dict()
    saved = load_file(model.weights / "model.safetensors")
    assert all(opened[name].equal(weight) for name, weight in saved.items())
    bundle = tuneloop.export(recipe, store)
    exported = load_file(bundle.folder / "merged" / "model.safetensors")
    assert all(exported[name].equal(weight) for name, weight in saved.items())
