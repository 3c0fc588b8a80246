"""Noise is on the embeddings as the paper draws it, in training only, and in the receipts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tests.models.test_lora import llama, lora
from tests.training.conftest import Bench, Heard, lasting, section_of, weights
from tests.training.test_resume import crash_at

from tuneloop.training.noise import add_noise, noise_proof

IDS = torch.arange(20).reshape(2, 10)


def test_noise_is_drawn_evenly_up_to_the_bound_of_the_paper() -> None:
    torch.manual_seed(0)
    model = llama(hidden_size=256).train()
    plain = model.get_input_embeddings()(IDS)
    add_noise(model, 5.0)
    noise = model.get_input_embeddings()(IDS) - plain
    bound = 5.0 / (10 * 256) ** 0.5
    assert 0.99 * bound < noise.abs().max() <= bound * 1.0001
    assert noise.std().item() == pytest.approx(bound / 3**0.5, rel=0.05)


@pytest.mark.parametrize("adapter", [lora(), lora(modules_to_save=["embed_tokens"])])
def test_evaluation_is_without_noise(adapter: object) -> None:
    model = adapter.attach(llama())  # type: ignore[attr-defined]
    before = model.eval()(IDS).logits
    add_noise(model, 5.0)
    assert torch.equal(model.eval()(IDS).logits, before)
    assert not torch.allclose(model.train()(IDS).logits, before, atol=1e-3)
    assert noise_proof(model, 5.0)["evaluation"] == 0.0
    assert model.training


def test_a_run_with_noise_goes_another_way_from_the_same_held_out_loss(
    tmp_path: Path, new_bench: Callable[[Path], Bench]
) -> None:
    bench = new_bench(tmp_path / "store")
    (plain, _), (noisy, _) = (
        bench.train(section_of(max_steps=3, eval_steps=3, regularization={"neftune_noise_alpha": alpha}))
        for alpha in (None, 5.0)
    )
    start = [next(s.value for s in run.signals() if s.name == "validation/loss") for run in (plain, noisy)]
    assert start[0] == start[1]
    assert lasting(plain) != lasting(noisy)
    said = [json.loads((run.folder / "receipts.json").read_text())["noise"] for run in (plain, noisy)]
    assert said[0] is None
    assert (said[1]["alpha"], said[1]["evaluation"]) == (5.0, 0.0)
    assert 0.9 * said[1]["bound"] < said[1]["training"] <= said[1]["bound"] * 1.0001


def test_a_crashed_run_with_noise_goes_on_bit_for_bit(tmp_path: Path, new_bench: Callable[[Path], Bench]) -> None:
    section = section_of(
        max_steps=6, checkpoints={"save_steps": 2}, eval_steps=2, regularization={"neftune_noise_alpha": 5.0}
    )
    expected = new_bench(tmp_path / "expected").train(section)
    bench = new_bench(tmp_path / "cut")
    crash_at(bench, 3, section)
    progress = Heard()
    _, model = bench.train(section, progress=progress)
    assert any("going on after step" in note for note in progress.notes)
    assert weights(model) == weights(expected[1])
