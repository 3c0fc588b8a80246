"""One training as its users see it: two artifacts, honest accounts, and the same result every time."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tests.training.conftest import Bench, Heard, chat, lasting, seal, section_of, weights

from tuneloop.errors import TrainingError
from tuneloop.monitoring.section import MonitorSection
from tuneloop.store import Run


def receipts(run: Run) -> dict:
    return json.loads((run.folder / "receipts.json").read_text())


def test_a_run_and_a_model_are_sealed_with_their_lineage(bench: Bench) -> None:
    run, model = bench.train()
    assert run.parents == {"dataset": bench.dataset.id}
    assert model.parents == {"dataset": bench.dataset.id, "run": run.id}
    for name in ("recipe.yaml", "signals.jsonl", "findings.jsonl", "environment.json", "receipts.json", "rows.json"):
        assert (run.folder / name).is_file()
    assert "Held-out loss" in (model.folder / "card.md").read_text()
    bench.store.verify(run.id)
    bench.store.verify(model.id)
    assert not list((bench.store.root / "work").glob("*/")), "the finished work is cleared away"


def test_the_same_training_again_is_found_not_made(bench: Bench) -> None:
    first = bench.train()
    progress = Heard()
    second = bench.train(progress=progress)
    assert (first[0].id, first[1].id) == (second[0].id, second[1].id)
    assert progress.works == []


def test_two_runs_are_bit_identical(tmp_path: Path, new_bench: Callable[[Path], Bench]) -> None:
    torch.manual_seed(1)
    one = new_bench(tmp_path / "one").train()
    torch.manual_seed(2)
    two = new_bench(tmp_path / "two").train()
    assert weights(one[1]) == weights(two[1])
    assert lasting(one[0]) == lasting(two[0])


def test_another_seed_gives_another_adapter(tmp_path: Path, new_bench: Callable[[Path], Bench]) -> None:
    one = new_bench(tmp_path / "one").train(seed=1)
    two = new_bench(tmp_path / "two").train(seed=2)
    assert weights(one[1]) != weights(two[1])


def test_the_callers_random_numbers_are_left_alone(bench: Bench) -> None:
    def draw() -> tuple[float, float, float]:
        return random.random(), float(np.random.rand()), float(torch.rand(()))

    for seed in (random.seed, np.random.seed, torch.manual_seed):
        seed(7)
    expected = draw()
    for seed in (random.seed, np.random.seed, torch.manual_seed):
        seed(7)
    bench.train(section_of(max_steps=1))
    assert draw() == expected


def test_the_model_is_the_one_with_the_lowest_held_out_loss(bench: Bench) -> None:
    wild = {"optimizer": {"adamw": {"learning_rate": 5.0}}, "schedule": {"constant": {"warmup_steps": 12}}}
    run, model = bench.train(section_of(**wild, max_steps=12, eval_steps=1, stop=None))
    losses = {s.step: s.value for s in run.signals() if s.name == "validation/loss" and s.step > 0}
    best = min(losses, key=lambda step: (losses[step], step))
    assert best < 12, "the rate was meant to spoil the end of this run"
    assert receipts(run)["best_step"] == best
    again, _ = bench.train(section_of(max_steps=1), start=model)
    assert next(s.value for s in again.signals() if s.name == "validation/loss") == losses[best]


def test_early_stopping_ends_the_run_and_says_so(bench: Bench) -> None:
    section = section_of(optimizer={"adamw": {"learning_rate": 1.0}}, max_steps=40, eval_steps=1, stop={"patience": 2})
    run, _ = bench.train(section)
    said = receipts(run)
    assert said["ended"] == "patience"
    assert said["steps"]["made"] < 40
    assert said["early_stopping"]["on"] == "validation/loss"
    losses = [s.value for s in run.signals() if s.name == "validation/loss" and s.step > 0]
    assert min(losses[:-2]) <= min(losses[-2:])


def test_without_validation_rows_the_last_weights_are_kept(bench: Bench) -> None:
    dataset = seal(bench.store, map(chat, range(10)))
    run, model = bench.train(section_of(max_steps=3), dataset=dataset)
    assert receipts(run)["early_stopping"] is None
    assert model.facts["validation_loss"] is None
    assert not [s for s in run.signals() if s.name == "validation/loss"]


def test_rows_left_out_are_counted_with_their_reasons(bench: Bench) -> None:
    rows = [chat(i) for i in range(10)] + [chat(50, answer="very " * 200 + "long")]
    progress = Heard()
    run, _ = bench.train(section_of(max_steps=2), progress=progress, dataset=seal(bench.store, rows))
    account = json.loads((run.folder / "rows.json").read_text())["train"]
    assert (account["rows"], account["used"]) == (11, 10)
    assert sum(account["dropped"].values()) == 1
    assert any("chats.jsonl:51" in origins for origins in account["dropped_origins"].values())
    assert any("10 of 11 rows" in note for note in progress.notes)


def test_nothing_to_learn_stops_before_training(bench: Bench) -> None:
    with pytest.raises(TrainingError, match="nothing to learn") as error:
        bench.train(section_of(max_length=8))
    assert "max_length" in error.value.problems[0].fix


def test_a_run_without_held_out_rows_says_what_it_cannot_do(bench: Bench) -> None:
    progress = Heard()
    alone = seal(bench.store, map(chat, range(40)))
    bench.train(section_of(max_steps=2), progress, dataset=alone)
    assert any("no rows are held out" in note and "data.split.validation" in note for note in progress.notes)
    bench.train(section_of(max_steps=3), kept := Heard())
    assert not any("no rows are held out" in note for note in kept.notes)


def test_an_adapter_that_did_not_move_is_an_error(bench: Bench) -> None:
    with pytest.raises(TrainingError, match="moved"):
        bench.train(section_of(optimizer={"sgd": {"learning_rate": 1e-30}}, max_steps=2))


def test_receipts_tell_what_happened(bench: Bench) -> None:
    run, model = bench.train(section_of(schedule={"linear": {"warmup_steps": 3}}))
    said = receipts(run)
    assert said["weights"]["trained"] == model.facts["trainable"] > 0
    assert said["weights"]["frozen_unmoved"] is True
    assert all(change > 0 for change in said["weights"]["moved"].values())
    assert said["precision"]["used"] == "fp32"
    assert {name: said["steps"][name] for name in ("made", "planned", "per_epoch")} == {
        "made": 14,
        "planned": 14,
        "per_epoch": 7,
    }
    assert said["rows_seen"] == 80
    assert said["schedule"]["first"] == pytest.approx(5e-3 / 4)
    assert said["schedule"]["highest"] == pytest.approx(5e-3)
    rates = [s.value for s in run.signals() if s.name == "train/learning_rate"]
    assert said["schedule"]["last"] == rates[-1]


def test_a_tuned_model_can_be_trained_further(bench: Bench) -> None:
    _, first = bench.train(section_of(max_steps=4))
    run, second = bench.train(section_of(max_steps=3), start=first)
    assert second.parents["start"] == first.id == run.parents["start"]
    before, after = (load_file(next(m.weights.glob("*.safetensors"))) for m in (first, second))
    assert before.keys() == after.keys()
    assert any(not torch.equal(before[name], after[name]) for name in before)
    start = next(s.value for s in run.signals() if s.name == "validation/loss")
    assert start == pytest.approx(first.facts["validation_loss"], abs=1e-6)


def test_full_training_keeps_every_weight(bench: Bench) -> None:
    run, model = bench.train(section_of(adapter="full", max_steps=3))
    assert receipts(run)["weights"]["share"] == 1.0
    assert not model.is_adapter


def test_fp16_away_from_cuda_is_refused(bench: Bench) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    with pytest.raises(TrainingError, match="fp16"):
        bench.train(section_of(precision="fp16"))


def test_bf16_learns_too_and_keeps_fp32_weights(bench: Bench) -> None:
    run, model = bench.train(section_of(precision="bf16", max_steps=6))
    losses = [s.value for s in run.signals() if s.name == "validation/loss"]
    assert losses[-1] < losses[0]
    assert all(
        tensor.dtype == torch.float32 for tensor in load_file(next(model.weights.glob("*.safetensors"))).values()
    )


def test_every_step_reports_its_figures(bench: Bench) -> None:
    progress = Heard()
    bench.train(section_of(max_steps=4), progress=progress)
    steps = [figures for figures in progress.figures if "train/loss" in figures]
    assert len(steps) == 4
    wanted = {"train/loss", "train/learning_rate", "train/grad_norm", "train/tokens_per_second", "train/memory_mb"}
    assert all(wanted <= figures.keys() for figures in steps)


class Poison:
    """Makes the loss of one row, alone or in a batch, not a number."""

    def __init__(self, bench: Bench, monkeypatch: pytest.MonkeyPatch, record: str) -> None:
        kind = type(bench.task)
        self.ids: list[int] = []
        pack, loss = kind.pack, kind.loss

        def remember(task, examples):
            self.ids = next((list(example.ids) for example in examples if example.record == record), self.ids)
            return pack(task, examples)

        def spoil(task, model, batch):
            stream = batch.ids[0].tolist()
            there = any(stream[start : start + len(self.ids)] == self.ids for start in (0, *batch.ends))
            return loss(task, model, batch) * (float("nan") if self.ids and there else 1.0)

        monkeypatch.setattr(kind, "pack", remember)
        monkeypatch.setattr(kind, "loss", spoil)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_row_that_makes_the_loss_nan_is_named(bench: Bench, monkeypatch: pytest.MonkeyPatch, precision: str) -> None:
    Poison(bench, monkeypatch, chat(7).id)
    with pytest.raises(TrainingError, match="the loss is nan at step") as error:
        bench.train(section_of(precision=precision))
    assert error.value.problems[0].where == "rows of that step: chats.jsonl:8", "only the guilty row is named"


def test_a_held_out_row_that_makes_the_loss_nan_is_named(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    Poison(bench, monkeypatch, chat(45).id)
    with pytest.raises(TrainingError, match="the held-out loss is nan") as error:
        bench.train()
    assert error.value.problems[0].where == "validation rows such as chats.jsonl:46"


def test_a_gradient_that_is_not_finite_stops_before_the_weights_are_spoiled(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = type(bench.task)
    loss = kind.loss
    calls: list[int] = []

    def steep(task, model, batch):
        calls.append(1)
        value = loss(task, model, batch)
        if value.requires_grad and len(calls) > 20:
            value.register_hook(lambda gradient: gradient * float("inf"))
        return value

    monkeypatch.setattr(kind, "loss", steep)
    with pytest.raises(TrainingError, match="the gradient's norm is") as error:
        bench.train()
    assert "max_grad_norm" in error.value.problems[0].fix
    assert list((bench.store.root / "work").glob("*/checkpoints/step-*")), "the last good checkpoint is kept"


def test_sample_prompts_are_answered_after_every_evaluation_and_change_nothing(
    tmp_path: Path, new_bench: Callable[[Path], Bench]
) -> None:
    quiet = new_bench(tmp_path / "quiet").train()
    prompts = ("what is 2 plus 3", "who are you")
    run, model = new_bench(tmp_path / "asking").train(monitor=MonitorSection(sample_prompts=prompts))
    samples = [json.loads(line) for line in (run.folder / "samples.jsonl").read_text().splitlines()]
    evaluated = [s.step for s in run.signals() if s.name == "validation/loss"]
    assert [(row["step"], row["prompt"]) for row in samples] == [(s, prompt) for s in evaluated for prompt in prompts]
    assert weights(model) == weights(quiet[1])
    assert lasting(run) == lasting(quiet[0])
