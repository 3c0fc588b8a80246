"""A person is forgotten in the middle of a life: trained on, served, asked about, and then nowhere any more."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.life.test_life import serving

import tuneloop
from tuneloop.data.forgetting.act import forget
from tuneloop.data.forgetting.holding import find
from tuneloop.data.forgetting.wanted import wanted
from tuneloop.errors import StoreError
from tuneloop.store import Dataset, Store

WHO = "Marianne Testperson"


def files_that_name_her(store: Store) -> list[str]:
    """Every file of a store, Parquet decoded, in which the name stands in any case."""
    import pyarrow.parquet as pq

    found = []
    for path in store.root.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            if path.suffix == ".parquet":
                data += str(pq.read_table(path).to_pylist()).encode()
            found += [str(path)] if b"testperson" in data.lower() else []
    return found


@pytest.mark.slow
def test_a_person_is_forgotten_from_rows_to_served_answers(tmp_path: Path, tiny_model: Path, chats: Path) -> None:
    import httpx

    with chats.open("a", encoding="utf-8") as file:
        for i in range(6):
            turns = [
                {"role": "user", "content": f"who takes calls on day {i}"},
                {"role": "assistant", "content": f"{WHO} does"},
            ]
            file.write(json.dumps({"messages": turns}) + "\n")
    options = {
        "name": "sums",
        "data": {"sources": [str(chats)], "split": {"validation": 0.15, "test": 0.15}},
        "model": {"base": str(tiny_model)},
        "train": {"batch": {"size": 8}, "max_steps": 2, "max_length": 128, "precision": "fp32"},
        "evaluate": {"limit": 40, "max_new_tokens": 2},
        "serve": {"port": 0},
    }
    recipe, store = tuneloop.load(options), Store(tmp_path / "store")
    first = tuneloop.run(recipe, store)
    with serving(recipe, store) as url:
        body = {"model": "champion", "max_tokens": 2, "messages": [{"role": "user", "content": f"is {WHO} in?"}]}
        answer = httpx.post(f"{url}/v1/chat/completions", json=body, timeout=60).json()["id"]
        body["messages"][0]["content"] = "what is 1 plus 2"
        httpx.post(f"{url}/v1/chat/completions", json=body, timeout=60)
        said = {"exchange": answer, "kind": "correction", "value": f"{WHO} is out"}
        assert httpx.post(f"{url}/feedback", json=said, timeout=60).is_success
    tuneloop.collect(recipe, store)
    assert files_that_name_her(store)

    meant = wanted(store, WHO)
    found = find(store, meant)
    assert {holder.kind for holder in found.holders} == {"dataset", "run", "model", "report", "bundle", "release"}
    assert found.exchanges == [answer]
    done = forget(store, meant, found, why="request 17", purge=True)
    assert done.act.exchanges == 1
    assert len(done.act.replaced) == 2  # what was prepared, and what was collected
    assert first.model.id in done.kept
    with pytest.raises(StoreError, match="forgotten on request"):
        tuneloop.promote(recipe, store, first.release.id)

    second = tuneloop.run(recipe, store)
    tuneloop.promote(recipe, store)
    assert second.dataset.id in done.act.replaced.values()
    assert second.model.id != first.model.id
    with pytest.raises(StoreError, match="forgotten on request"):
        tuneloop.rollback(recipe, store)
    done = forget(store, meant, find(store, meant), why="request 17", purge=True)
    assert not done.left
    assert not done.kept
    assert files_that_name_her(store) == []
    rows = [str(record) for split in ("train", "validation", "test") for record in second.dataset.records(split)]
    assert len(rows) == 60
    assert {manifest.id for manifest in store.artifacts(Dataset)} <= set(done.act.replaced.values())
    with pytest.raises(StoreError, match="was deleted on"):
        store.open(first.dataset.id)
