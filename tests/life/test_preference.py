"""A whole life of a model that learns preferences: the published tiny recipe, from rows to a release."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import tuneloop
from tuneloop.store import Store

TINY = Path(__file__).parents[2] / "recipes" / "tiny" / "brevity.yaml"


@pytest.mark.slow
def test_short_answers_are_learned_measured_exported_and_released(tmp_path: Path) -> None:
    store = Store(tmp_path)
    life = tuneloop.run(tuneloop.load(TINY), store)
    tuned = life.report.scores["tuned"]
    assert tuned["rewards/accuracies"]["mean"] > 0.5
    assert tuned["loss"]["mean"] < life.report.scores["base"]["loss"]["mean"]
    assert "token_f1" in tuned, "the prompts are answered too"
    assert (life.bundle.folder / "merged" / "model.safetensors").is_file()
    told = json.loads((life.run.folder / "receipts.json").read_text())
    assert told["task"]["loss_type"] == "sigmoid"
    assert told["reference"]["train"]["cached"] is False
    account = json.loads((life.run.folder / "rows.json").read_text())["train"]
    assert account["used"] == account["examples"]
