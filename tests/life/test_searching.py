"""A search over a recipe: trials are trainings, the best becomes the recipe's model, and its disk is given back."""

from __future__ import annotations

from pathlib import Path

import pytest

import tuneloop
from tuneloop.errors import RecipeError
from tuneloop.monitoring.progress import Silent
from tuneloop.recipe.saved import save
from tuneloop.store import Model, Run, Store, Study


class Notes(Silent):
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def recipe(chats: Path, model: Path, **tune: object) -> tuneloop.Recipe:
    return tuneloop.load(
        {
            "name": "sums",
            "data": {"sources": [str(chats)], "split": {"validation": 0.2, "test": 0}},
            "model": {"base": str(model)},
            "train": {
                "adapter": {"lora": {"r": 4, "lora_dropout": 0.0}},
                "batch": {"size": 8},
                "max_steps": 9,
                "max_length": 64,
                "precision": "fp32",
            },
            "evaluate": {"metrics": ["token_f1"], "limit": 4, "max_new_tokens": 8},
            "tune": {
                "space": {"train.optimizer.adamw.learning_rate": [1e-5, 2e-2, 1e30], "train.adapter.lora.r": [2, 4]},
                "runner": "inline",
                **tune,
            },
        }
    )


def test_the_best_trial_becomes_the_recipes_model_and_losers_leave_the_disk(
    tmp_path: Path, tiny_model: Path, chats: Path
) -> None:
    asked = recipe(chats, tiny_model, search={"asha": {"sampler": "grid", "halvings": 1}})
    store, notes = Store(tmp_path / "store"), Notes()
    study = tuneloop.tune(asked, store, notes)
    best = study.summary["best"]
    assert best["values"]["train.optimizer.adamw.learning_rate"] == 2e-2
    refs = store.refs.all()
    assert (refs["sums/study"], refs["sums/model"], refs["sums/run"]) == (study.id, best["model"], best["run"])
    assert [manifest.id for manifest in store.artifacts(Model)] == [best["model"]]
    assert [path for path in (store.root / "work").iterdir() if path.is_dir()] == []
    ended = [trial for trial in study.summary["trials"] if trial["ended"]]
    assert {manifest.id for manifest in store.artifacts(Run)} == {trial["run"] for trial in ended}
    assert len(notes.notes) >= 6

    better = tuneloop.tuned(asked, study)
    run, model = tuneloop.train(better, store)
    assert (run.id, model.id) == (best["run"], best["model"]), "its training is done"
    assert isinstance(store.open("sums/study"), Study)


def test_a_trial_that_went_on_from_its_pause_is_the_training_that_never_paused(
    tmp_path: Path, tiny_model: Path, chats: Path
) -> None:
    asked = recipe(chats, tiny_model, search={"asha": {"sampler": "grid", "halvings": 1}}, trials=3)
    best = tuneloop.tune(asked, Store(tmp_path / "one")).summary["best"]
    whole = tuneloop.train(tuneloop.load(asked.spelled(), best["changes"]), Store(tmp_path / "two"))[1]
    paused = Store(tmp_path / "one").get(Model, best["model"])
    names = {name for name in paused.manifest.files if name.endswith(".safetensors")}
    assert names and all(paused.manifest.files[name] == whole.manifest.files[name] for name in names)


def test_a_metric_of_the_evaluation_is_measured_on_the_validation_split(
    tmp_path: Path, tiny_model: Path, chats: Path
) -> None:
    space = {"train.adapter.lora.r": [2, 4]}
    study = tuneloop.tune(
        recipe(chats, tiny_model, search="grid", metric="token_f1", space=space), Store(tmp_path / "store")
    )
    assert study.summary["direction"] == "maximize"
    assert all(0 <= trial["score"] <= 1 for trial in study.summary["trials"])


def test_a_metric_that_nothing_records_ends_the_search_with_what_is_recorded(
    tmp_path: Path, tiny_model: Path, chats: Path
) -> None:
    with pytest.raises(RecipeError, match="validation/los") as caught:
        tuneloop.tune(recipe(chats, tiny_model, search="grid", metric="validation/los"), Store(tmp_path / "store"))
    assert "validation/loss" in caught.value.problems[0].fix


def test_a_recipe_is_saved_elsewhere_with_its_files_still_found(tmp_path: Path, chats: Path) -> None:
    written = tmp_path / "here" / "sums.yaml"
    written.parent.mkdir()
    (written.parent / "rows.jsonl").write_bytes(chats.read_bytes())
    written.write_text(
        "data: {sources: [rows.jsonl]}\nmodel: {base: embedded}\n"
        "tune: {space: {train.batch.size: [4, 8], train.optimizer: [adamw, sgd]}}\n"
    )
    target = tmp_path / "there" / "best.yaml"
    target.parent.mkdir()
    changes = ["train.optimizer=sgd", "train.batch.size=4"]
    save(written, changes, target, why="the best", leave_out="tune")
    saved, meant = tuneloop.load(target), tuneloop.load(written, changes)
    assert saved.name == "sums" and saved.train == meant.train and not saved.tune.space
    assert (saved.folder / saved.data.sources[0].path).exists()
