"""A base whose weights are damaged: the weights are named, not the rows."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.training.conftest import Bench, make_bench

from tuneloop.errors import TrainingError
from tuneloop.monitoring.section import MonitorSection


@pytest.fixture
def damaged(tiny_model: Path, tmp_path: Path) -> Bench:
    """A bench whose base has one weight that is no number."""
    base = shutil.copytree(tiny_model, tmp_path / "base")
    (file,) = base.glob("*.safetensors")
    weights = load_file(file)
    name = next(name for name in weights if name.endswith("layers.1.mlp.down_proj.weight"))
    weights[name].view(-1)[0] = torch.nan
    save_file(weights, file, metadata={"format": "pt"})
    return make_bench(tmp_path / "store", base)


def test_the_damaged_weight_is_named_and_no_row_or_rate_is_blamed(damaged: Bench) -> None:
    with pytest.raises(TrainingError, match="1 of the model's weights") as error:
        damaged.train(monitor=MonitorSection(samples=0, general_texts=None))
    (problem,) = error.value.problems
    assert "layers.1.mlp.down_proj" in problem.where and "chats.jsonl" not in problem.where
    assert "fetch the base again" in problem.fix and "learning_rate" not in problem.fix


def test_it_is_told_with_samples_and_general_texts_too(damaged: Bench) -> None:
    with pytest.raises(TrainingError, match="1 of the model's weights"):
        damaged.train(monitor=MonitorSection())
