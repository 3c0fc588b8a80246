"""Receipts are read from the model, the optimizer and the run, not from the recipe."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.training.conftest import Bench, section_of

from tuneloop.errors import TrainingError
from tuneloop.models.adapters.lora import Lora
from tuneloop.parts import find
from tuneloop.store import Run
from tuneloop.tasks import Task
from tuneloop.training.state import State


def told(run: Run) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run.folder / "receipts.json").read_text())
    return found


def test_rates_are_those_that_were_used_with_the_steps_of_the_highest(bench: Bench) -> None:
    scaling = {"rule": "linear", "reference": 3}
    run, _ = bench.train(
        section_of(
            schedule={"wsd": {"warmup_steps": 3, "num_decay_steps": 4}},
            batch={"size": 6, "learning_rate_scaling": scaling},
            stop=None,
        )
    )
    said, rates = told(run), [s.value for s in run.signals() if s.name == "train/learning_rate"]
    assert said["schedule"]["highest"] == max(rates) == pytest.approx(1e-2)
    top = [step for step, rate in enumerate(rates, start=1) if rate == max(rates)]
    assert (said["schedule"]["highest_from"], said["schedule"]["highest_to"]) == (top[0], top[-1]) == (4, 11)
    assert said["batch_scaling"] == {"rule": "linear", "reference": 3, "written": 5e-3, "times": 2.0}


def test_clipping_is_counted(tmp_path: Path, new_bench: Callable[[Path], Bench]) -> None:
    bench = new_bench(tmp_path)
    runs = [bench.train(section_of(max_steps=6, max_grad_norm=longest))[0] for longest in (1e-3, 1e3, None)]
    found = [told(run)["clipping"] for run in runs]
    assert found[0] == {"max_grad_norm": 1e-3, "steps": 6, "share": 1.0}
    assert found[1]["steps"] == 0
    assert found[2] is None


def test_accumulation_is_told_as_it_was(bench: Bench) -> None:
    steps = told(bench.train(section_of())[0])["steps"]
    assert (steps["rows_fewest"], steps["rows_most"]) == (4, 6), "40 rows by 6 leave 4 for the last step of an epoch"
    assert steps["micro_batches_most"] >= 2
    assert steps["made"] <= steps["micro_batches"] <= steps["made"] * steps["micro_batches_most"]


def test_a_state_counts_the_way_to_the_peak_and_the_sizes_of_steps() -> None:
    state = State()
    for rate, rows, micro in ((0.1, 4, 2), (0.3, 6, 1), (0.3, 6, 3), (0.2, 2, 1)):
        state.went(rows=rows, tokens=9, learned=5, rate=rate, of=10, micro=micro, clipped=rate > 0.2)
    assert (state.rates, state.peak) == ((0.1, 0.3, 0.2), (2, 3))
    assert (state.sizes, state.micros, state.micro, state.clipped) == ((2, 6), (1, 3), 7, 2)


def test_formats_are_counted_on_the_tensors(bench: Bench) -> None:
    run, _ = bench.train(section_of(max_steps=2, precision="bf16"))
    said = told(run)["precision"]
    assert set(said["computed_in"]) == {"bfloat16"}
    assert said["kept_in"]["trained"].keys() == {"float32"}
    assert said["kept_in"]["frozen"]["bfloat16"] > 0
    trained = told(run)["weights"]["trained"]
    assert said["kept_in"]["optimizer"] == {"float32": 2 * trained}


def test_eight_bits_are_told_as_eight_bits(bench: Bench) -> None:
    pytest.importorskip("bitsandbytes")
    eight = {"adamw_8bit": {"learning_rate": 5e-3, "min_8bit_size": 1}}
    said = told(bench.train(section_of(max_steps=1, optimizer=eight))[0])
    assert said["precision"]["kept_in"]["optimizer"]["uint8"] == 2 * said["weights"]["trained"]


def test_what_learns_is_told_by_kind(bench: Bench) -> None:
    run, _ = bench.train(section_of(max_steps=1, optimizer={"muon": {}}, adapter="full"))
    said = told(run)
    assert said["weights"]["kinds"]["self_attn.q_proj"] == {"matrices": 2, "weights": 2 * 32 * 32}
    assert sum(kind["weights"] for kind in said["weights"]["kinds"].values()) == said["weights"]["trained"]
    assert [(group["kind"], group["by"]) for group in said["optimizer"]["groups"]] == [
        ("matrix", "muon"),
        ("table", "adamw"),
        ("other", "adamw"),
    ]


@pytest.mark.parametrize("adapter", [{"lora": {"r": 4}}, "full"])
def test_smoothing_is_measured_and_leaves_the_held_out_loss(bench: Bench, adapter: Any) -> None:
    section = section_of(max_steps=2, adapter=adapter)
    (plain, _), (smooth, _) = (
        bench.train(section, task=find(Task, "sft").model_validate({"label_smoothing_factor": factor}))
        for factor in (0.0, 0.2)
    )
    assert told(plain)["smoothing"] is None
    said = told(smooth)["smoothing"]
    assert said["factor"] == 0.2
    assert said["training"] != said["evaluation"]
    starts = [next(s.value for s in run.signals() if s.name == "validation/loss") for run in (plain, smooth)]
    assert starts[0] == starts[1]


def test_an_adapter_dropout_that_drops_nothing_stops_the_run(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    attach = Lora.attach

    def without(self: Lora, model: torch.nn.Module) -> torch.nn.Module:
        made = attach(self, model)
        for name, module in made.named_modules():
            if name.endswith("lora_dropout.default"):
                module.p = 0.0
        return made

    monkeypatch.setattr(Lora, "attach", without)
    with pytest.raises(TrainingError, match=r"lora_dropout 0\.1 drops nothing") as error:
        bench.train(section_of())
    assert error.value.problems[0].where == "train.adapter.lora.lora_dropout"


def test_a_person_reads_them_in_the_card_and_on_the_screen(bench: Bench) -> None:
    from click.testing import CliRunner

    from tuneloop.cli import commands

    run, model = bench.train(section_of(max_steps=2, regularization={"dropout": 0.25, "l2_start": 1.0}))
    card = (model.folder / "card.md").read_text()
    assert "- Dropout: feed-forward: 0.25 in 2 modules (mlp)" in card
    shown = CliRunner().invoke(commands, ["show", run.id, "--store", str(bench.store.root)])
    assert shown.exit_code == 0, shown.output
    told = {line.partition("  ")[0]: line for line in (line.strip() for line in shown.output.splitlines())}
    assert told["adapter"].endswith("lora, rank 4, scale 2")
    assert "0.1 in 14 modules (down_proj, gate_proj, " in told["dropout: lora"]
    assert "away from it" in told["pulled"]
    assert told["frozen weights unmoved"].endswith("yes")
