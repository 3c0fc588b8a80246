"""The closed loop on a real model: from a bad recipe to a better one, with its decisions kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import tuneloop
from tuneloop import cli, life
from tuneloop.errors import DataError
from tuneloop.store import Dataset, Run, Store

pytestmark = pytest.mark.slow

RATE = "train.optimizer.adamw.learning_rate"


@pytest.fixture
def recipe(tiny_model: Path, chats: Path) -> tuneloop.Recipe:
    return tuneloop.load(
        {
            "name": "sums",
            "data": {"sources": [str(chats)], "split": {"validation": 0.3, "test": 0}},
            "model": {"base": str(tiny_model)},
            "train": {
                "adapter": {"lora": {"r": 4, "lora_dropout": 0.0}},
                "optimizer": {"adamw": {"learning_rate": 1e-6}},
                "batch": {"size": 8},
                "max_steps": 16,
                "eval_steps": 4,
                "max_length": 128,
                "precision": "fp32",
            },
            "improve": {"runs": 3, "moves": [{"rate": {"factor": 100}}]},
        }
    )


def test_a_rate_that_is_far_too_low_is_raised_and_the_better_model_takes_the_name(
    recipe: tuneloop.Recipe, tmp_path: Path
) -> None:
    store = Store(tmp_path / "store")
    done = tuneloop.improve(recipe, store)
    attempts = done.ending.story.attempts
    assert attempts[1].changes == {RATE: "0.0001"}
    assert done.ending.story.leading.loss < attempts[0].loss
    assert done.ending.story.leading.difference is not None and done.ending.story.leading.difference.rows > 10
    assert store.get(Run, "sums/run").id == done.run.id == done.ending.story.leading.run
    assert done.model.parents["run"] == done.run.id
    journal = json.loads((done.journal / "journal.json").read_bytes())
    assert [each["run"] for each in journal["attempts"]] == [each.run for each in attempts]
    assert done.recipe.train.optimizer.learning_rate == pytest.approx(float(done.ending.story.leading.changes[RATE]))

    again = tuneloop.improve(recipe, store)
    assert [each.run for each in again.ending.story.attempts] == [each.run for each in attempts]
    assert len(store.artifacts(Run)) == 3


def test_a_run_is_improved_on_its_own_rows(recipe: tuneloop.Recipe, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    run, _ = tuneloop.train(recipe, store)
    dataset = store.get(Dataset, run.parents["dataset"])
    read = life.of_run(run, tmp_path)
    assert read.spelled() == recipe.spelled()
    done = tuneloop.improve(read, store, dataset=dataset)
    assert done.ending.story.attempts[0].run == run.id
    assert {store.get(Run, each.run).parents["dataset"] for each in done.ending.story.attempts} == {dataset.id}


def test_half_of_the_rows_are_tried_where_nothing_helps(recipe: tuneloop.Recipe, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    idle = recipe.model_copy(update={"improve": recipe.improve.model_copy(update={"moves": []})})
    done = tuneloop.improve(idle, store)
    assert done.ending.reason in ("rows", "nothing left") and "half of the" in done.ending.told
    sizes = sorted(
        len(list(each.records("train"))) for each in (store.get(Dataset, made.id) for made in store.artifacts(Dataset))
    )
    assert sizes[0] == sizes[1] // 2


def test_a_recipe_whose_steps_throw_the_model_off_is_mended_from_its_own_rate(
    recipe: tuneloop.Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import numpy as np

    from tuneloop.life import improving
    from tuneloop.monitoring.row_losses import FIELDS
    from tuneloop.training.signals.failure import NotFinite

    def throws(changed: tuneloop.Recipe, *given: Any, **more: Any) -> Any:
        if changed.train.learning_rate > 1e-2:
            told = {"where": "rows", "fix": "lower it", "split": "train", "figures": {"train/loss": float("nan")}}
            raise NotFinite("the loss is nan", step=throws.step, rows=np.zeros(0, FIELDS), **told)  # type: ignore[attr-defined]
        return train(changed, *given, **more)

    train, throws.step = improving.trained, 3  # type: ignore[attr-defined]
    monkeypatch.setattr(improving, "trained", throws)
    wild = tuneloop.load(recipe.spelled(), [f"{RATE}=0.1", "improve.moves=[rate]"])
    done = tuneloop.improve(wild, Store(tmp_path / "store"))
    first, second, third = done.ending.story.attempts
    assert first.failed == "the loss is nan" and second.changes == {RATE: "0.01"} and not second.failed
    assert (second.rate, third.rate) == (0.01, 0.0033)  # not up again, where it is known to fail
    throws.step = 0  # type: ignore[attr-defined]
    with pytest.raises(NotFinite):  # before the first step no rate is to blame
        tuneloop.improve(wild, Store(tmp_path / "other"))


def test_without_held_out_rows_there_is_nothing_to_judge_by(recipe: tuneloop.Recipe, tmp_path: Path) -> None:
    blind = tuneloop.load(recipe.spelled(), ["data.split.validation=0"])
    with pytest.raises(DataError, match="no held-out rows"):
        tuneloop.improve(blind, Store(tmp_path / "store"))


def test_the_command_tells_every_attempt_and_train_auto_is_the_same(
    recipe: tuneloop.Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import yaml

    monkeypatch.chdir(tmp_path)
    Path("sums.yaml").write_text(yaml.safe_dump(recipe.spelled()))
    assert cli.execute(["improve", "sums.yaml", "--runs", "2", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [each["move"] for each in told["attempts"]] == ["as written", "rate"]
    assert cli.execute(["train", "sums.yaml", "--auto", "--set", "improve.runs=2"]) == 0
    said = capsys.readouterr().out
    assert "the budget of 2 trainings is spent" in " ".join(said.split()) and f"--set {RATE}=0.0001" in said
    assert cli.execute(["train", "sums.yaml", "--auto", "--continue-from", "latest"]) == 2
