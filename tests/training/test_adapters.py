"""Adapters in a whole run: what they promise is in the receipts, and the store gives back what was trained."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.training.conftest import Bench, Heard, section_of, weights
from tests.training.test_resume import crash_at

from tuneloop.models import open_model, open_start
from tuneloop.store import Run

ADAPTERS: list[dict[str, Any]] = [
    {"lora": {"r": 4, "init_lora_weights": "pissa"}},
    {"lora": {"r": 4, "use_dora": True, "use_rslora": True, "modules_to_save": ["norm"], "loraplus_lr_ratio": 4}},
    {"freeze": {"freeze_trainable_layers": 1, "freeze_extra_modules": ["norm"]}},
]
NAMES = ["pissa", "dora", "freeze"]


def receipts(run: Run) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run.folder / "receipts.json").read_text())
    return found


def held_out(run: Run) -> list[float]:
    return [signal.value for signal in run.signals() if signal.name == "validation/loss"]


@pytest.mark.parametrize("adapter", ADAPTERS, ids=NAMES)
def test_going_on_from_the_store_starts_at_the_loss_where_training_ended(bench: Bench, adapter: dict[str, Any]) -> None:
    section = section_of(adapter=adapter, max_steps=4, eval_steps=4)
    run, model = bench.train(section)
    assert held_out(run)[-1] < held_out(run)[0]
    again, _ = bench.train(section, start=model)
    assert held_out(again)[0] == pytest.approx(held_out(run)[-1], rel=1e-6)


@pytest.mark.parametrize("adapter", ADAPTERS, ids=NAMES)
def test_a_crashed_run_goes_on_bit_for_bit(
    tmp_path: Path, new_bench: Callable[[Path], Bench], adapter: dict[str, Any]
) -> None:
    section = section_of(adapter=adapter, max_steps=6, checkpoints={"save_steps": 2}, eval_steps=2)
    expected = new_bench(tmp_path / "expected").train(section)
    bench = new_bench(tmp_path / "cut")
    crash_at(bench, 3, section)
    progress = Heard()
    _, model = bench.train(section, progress=progress)
    assert any("going on after step" in note for note in progress.notes)
    assert weights(model) == weights(expected[1])


def test_receipts_tell_scale_and_pace(bench: Bench) -> None:
    run, _ = bench.train(section_of(adapter=ADAPTERS[1], max_steps=1))
    told = receipts(run)
    assert told["adapter"]["scale"] == [16 / 4**0.5]
    assert told["adapter"]["lengths_learned"] == 14
    assert told["adapter"]["whole_modules"] == ["model.norm"]
    groups = sorted((group["pace"], group["kind"], group["matrices"]) for group in told["optimizer"]["groups"])
    assert groups == [(1, "matrix", 14), (1, "other", 15), (4, "matrix", 14)]
    moved = told["weights"]["moved"]
    assert all(moved[name] > 0 for name in moved if "magnitude" in name or "modules_to_save" in name)


def test_receipts_tell_which_blocks_learned(bench: Bench) -> None:
    run, _ = bench.train(section_of(adapter=ADAPTERS[2], max_steps=1))
    told = receipts(run)["adapter"]
    assert told == {"name": "freeze", "blocks": 2, "learn": ["model.layers.1"], "others": ["model.norm.weight"]}


def test_b_moves_faster_than_a_by_the_ratio(bench: Bench) -> None:
    """Plain SGD without clipping or dropout: the first step of B is the gradient times the rate times the ratio."""

    def first_step(ratio: float) -> torch.Tensor:
        adapter = {"lora": {"r": 4, "lora_dropout": 0.0, "loraplus_lr_ratio": ratio}}
        options = {"optimizer": {"sgd": {"learning_rate": 0.1}}, "schedule": {"constant": {"warmup_steps": 0}}}
        section = section_of(adapter=adapter, max_steps=1, max_grad_norm=None, precision="fp32", **options)
        _, model = bench.train(section)
        state = open_model(model, bench.store).model.state_dict()
        return torch.cat([weight.flatten() for name, weight in state.items() if "lora_B" in name])

    plain, fast = first_step(1.0), first_step(8.0)
    assert plain.any()
    assert torch.allclose(fast, 8 * plain, rtol=1e-5)


@pytest.mark.parametrize("adapter", ADAPTERS, ids=NAMES)
def test_mixed_precision_learns_with_every_adapter(bench: Bench, adapter: dict[str, Any]) -> None:
    section = section_of(adapter=adapter, max_steps=2, precision="bf16")
    _, model = bench.train(section)
    going = open_start(model, section.adapter, bench.store)
    assert all(weight.dtype == torch.float32 for weight in going.model.parameters() if weight.requires_grad)
