"""The memory that training takes, from the configuration alone, against what a real model keeps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from tuneloop.models.adapters import Adapter
from tuneloop.models.assess import assess
from tuneloop.models.kernels.head import HELD
from tuneloop.models.load import read_config
from tuneloop.models.logits import hidden_at
from tuneloop.models.quick import quicken
from tuneloop.models.stream import take_streams
from tuneloop.parts import find
from tuneloop.tasks import Task

TASK: Any = find(Task, "sft")()


@pytest.fixture
def bare(tiny_model: Path, tmp_path: Path) -> Path:
    """A folder with nothing but the configuration, and a card."""
    (tmp_path / "config.json").write_text((tiny_model / "config.json").read_text())
    (tmp_path / "README.md").write_text("---\nlicense: apache-2.0\n---\n# A model\n")
    return tmp_path


@pytest.mark.parametrize("adapter", ["lora", "full"])
def test_figures_are_those_of_the_real_model(bare: Path, tiny_model: Path, adapter: str) -> None:
    found = assess(bare, TASK, find(Adapter, adapter)(), rows=2, tokens=64)
    real: Any = find(Adapter, adapter)().attach(TASK.load(read_config(tiny_model), str(tiny_model)))
    trainable = sum(p.numel() for p in real.parameters() if p.requires_grad)
    assert found.parameters == sum(p.numel() for p in real.parameters())
    assert found.trainable == trainable
    assert found.memory["gradients"] == 4 * trainable
    assert found.memory["optimizer"] == 8 * trainable
    assert (found.family, found.layers, found.vocabulary, found.context) == ("llama", 2, 400, 512)
    assert found.licence == "apache-2.0"
    assert found.bytes == sum(found.memory.values())


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("adapter", ["lora", "full"])
def test_activations_are_those_that_the_real_model_keeps(
    bare: Path, tiny_model: Path, adapter: str, packed: bool
) -> None:
    found = assess(bare, TASK, find(Adapter, adapter)(), rows=3, tokens=40, packed=packed)
    less = assess(bare, TASK, find(Adapter, adapter)(), rows=3, tokens=40, packed=packed, recompute=True)
    real: Any = find(Adapter, adapter)().attach(TASK.load(read_config(tiny_model), str(tiny_model)))
    real.train()
    quicken(real)
    if packed:
        take_streams(real)
    kept: dict[int, int] = {}
    weights = {weight.untyped_storage().data_ptr() for weight in real.parameters()}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.untyped_storage().data_ptr() not in weights:
            kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    ids = torch.zeros((1, 120) if packed else (3, 40), dtype=torch.int64)
    ends = (40, 80, 120) if packed else ()
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        hold = hidden_at(real, ids, ids == 0, ends)
    assert hold is not None
    assert found.memory["activations"] == pytest.approx(sum(kept.values()), rel=0.1)
    assert less.memory["activations"] < 0.7 * found.memory["activations"]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("lora", {"init_lora_weights": "pissa"}),
        ("lora", {"init_lora_weights": "olora"}),
        ("lora", {"use_dora": True, "modules_to_save": ["embed_tokens", "norm"]}),
        ("freeze", {"freeze_trainable_layers": 1}),
    ],
)
def test_every_adapter_is_assessed_without_weights(
    bare: Path, tiny_model: Path, name: str, options: dict[str, Any]
) -> None:
    adapter = find(Adapter, name)(**options)
    real = adapter.attach(TASK.load(read_config(tiny_model), str(tiny_model)))
    found = assess(bare, TASK, adapter, rows=1, tokens=8)
    assert found.trainable == sum(p.numel() for p in real.parameters() if p.requires_grad)
    assert found.parameters == sum(p.numel() for p in real.parameters())


def test_mixed_precision_halves_the_activations(bare: Path) -> None:
    whole, half = (
        assess(bare, TASK, find(Adapter, "lora")(), rows=1, tokens=32, dtype=size)
        for size in (torch.float32, torch.bfloat16)
    )
    assert half.memory["activations"] == whole.memory["activations"] // 2


def test_logits_follow_the_supervised_tokens(bare: Path) -> None:
    found = assess(bare, TASK, find(Adapter, "lora")(), rows=4, tokens=32, learned=10)
    assert found.memory["logits"] == 10 * (4 + 3 * 4) * 400  # a frozen head: never all of a long batch's
    most = assess(bare, TASK, find(Adapter, "lora")(), rows=4096, tokens=32)
    assert most.memory["logits"] == HELD // 400 * (4 + 3 * 4) * 400
    whole = assess(bare, TASK, find(Adapter, "full")(), rows=4, tokens=32, learned=10)
    assert whole.memory["logits"] == 3 * 4 * 10 * 400


def test_a_model_of_seven_billion_needs_no_weights(tmp_path: Path) -> None:
    size = {"hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32, "num_attention_heads": 32}
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llama", "vocab_size": 32000, **size}))
    found = assess(tmp_path, TASK, find(Adapter, "full")(), rows=1, tokens=128)
    assert found.parameters == 6_738_415_616
