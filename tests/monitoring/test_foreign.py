"""Logs of other tools: a real Trainer's state, logs in the shape of TRL's and LLaMA-Factory's, tables of scripts."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from tuneloop.errors import DataError
from tuneloop.monitoring import foreign
from tuneloop.monitoring.checks import Check, findings
from tuneloop.monitoring.history import History
from tuneloop.parts import find, names


def alarms(history: History) -> set[str]:
    told = findings((find(Check, name)() for name in names(Check)), history)
    return {finding.check for finding in told if finding.severity in ("warning", "error")}


def state(folder: Path, entries: list[dict[str, Any]], **more: Any) -> Path:
    file = folder / "trainer_state.json"
    file.write_text(json.dumps({"global_step": len(entries), "num_train_epochs": 3, **more, "log_history": entries}))
    return file


def test_the_state_of_a_real_trainer_is_read(tiny_model: Path, tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, Trainer, TrainingArguments

    rows = [{"input_ids": (ids := torch.randint(3, 400, (12,))), "labels": ids} for _ in range(16)]
    arguments = TrainingArguments(
        output_dir=str(tmp_path / "out"),
        max_steps=20,
        per_device_train_batch_size=4,
        logging_steps=1,
        eval_strategy="steps",
        eval_steps=10,
        save_steps=10,
        learning_rate=1e-3,
        report_to=[],
        use_cpu=True,
        disable_tqdm=True,
    )
    model = AutoModelForCausalLM.from_pretrained(tiny_model)
    trainer = Trainer(model=model, args=arguments, train_dataset=rows, eval_dataset=rows[:4])
    trainer.train()
    logged = trainer.state.log_history
    history = foreign.read(tmp_path / "out")
    assert [step for step, _ in history.series("train/loss")] == list(range(1, 21))
    assert history.values("train/loss") == [entry["loss"] for entry in logged if "loss" in entry]
    assert history.values("validation/loss") == [entry["eval_loss"] for entry in logged if "eval_loss" in entry]
    assert len(history.series("train/grad_norm")) == 20
    assert history.option("train.batch.size") == 4
    assert history.option("train.optimizer.adamw.learning_rate") == max(history.values("train/learning_rate"))
    assert not any(name.endswith(("runtime", "per_second")) for name in history.names)


def test_a_faulty_log_of_trl_is_named_with_a_change(tmp_path: Path) -> None:
    entries: list[dict[str, Any]] = []
    for step in range(10, 410, 10):
        loss = 0.05 + 2.5 * math.exp(-step / 60)
        entries.append(
            {"step": step, "loss": loss, "learning_rate": 1e-4, "mean_token_accuracy": 0.9, "epoch": step / 40}
        )
        if step % 40 == 0:
            entries.append({"step": step, "eval_loss": 1.6 + abs(step - 80) / 100, "eval_mean_token_accuracy": 0.6})
    history = foreign.read(state(tmp_path, entries, num_train_epochs=10))
    assert "validation/mean_token_accuracy" in history.names
    found = {finding.check: finding for finding in findings([find(Check, "overfit")()], history)}
    assert found["overfit"].change == "train.num_train_epochs=2"


def test_a_healthy_log_without_evaluations_raises_no_alarm(tmp_path: Path) -> None:
    entries = [
        {"step": step, "loss": 1.2 + 1.5 / (1 + step / 30), "grad_norm": 1.1, "learning_rate": 2e-5 * (1 - step / 310)}
        for step in range(10, 310, 10)
    ]
    assert alarms(foreign.read(state(tmp_path, entries))) == set()


def test_a_loss_that_is_no_number_is_found_in_the_state(tmp_path: Path) -> None:
    entries = [{"step": step, "loss": math.nan if step == 7 else 2.0, "grad_norm": math.nan} for step in range(1, 9)]
    file = state(tmp_path, entries)
    assert "NaN" in file.read_text()
    assert "not_finite" in alarms(foreign.read(file))


def test_the_summary_at_the_end_is_no_step(tmp_path: Path) -> None:
    entries = [{"step": 1, "loss": 2.0}, {"step": 1, "train_loss": 9.0, "train_runtime": 3.0}]
    assert foreign.read(state(tmp_path, entries)).values("train/loss") == [2.0]


def test_the_furthest_checkpoint_is_taken(tmp_path: Path) -> None:
    for steps in (20, 100, 9):
        folder = tmp_path / f"checkpoint-{steps}"
        folder.mkdir()
        state(folder, [{"step": steps, "loss": 1.0}])
    assert foreign.read(tmp_path).series("train/loss") == [(100, 1.0)]


def test_settings_beside_the_log_become_recipe_paths(tmp_path: Path) -> None:
    given = {"learning_rate": 3e-4, "optim": "paged_adamw_8bit", "per_device_train_batch_size": 2, "bf16": True}
    given |= {"gradient_accumulation_steps": 8, "lr_scheduler_type": "cosine", "max_grad_norm": 0.3}
    (tmp_path / "training_args.json").write_text(json.dumps(given))
    adapter = {"peft_type": "LORA", "r": 2, "lora_alpha": 4, "target_modules": ["q_proj"], "bias": "none"}
    (tmp_path / "adapter_config.json").write_text(json.dumps(adapter))
    history = foreign.read(state(tmp_path, [{"step": 1, "loss": 1.0, "learning_rate": 1e-4}]))
    assert history.option("train.batch.size") == 16
    assert history.option("train.optimizer.adamw_8bit.learning_rate") == 3e-4
    assert history.option("train.adapter.lora.r") == 2
    assert (history.option("train.precision"), history.part("train.schedule", "")) == ("bf16", "cosine")


def test_a_log_of_llama_factory_is_read_while_it_is_written(tmp_path: Path) -> None:
    lines = [
        {"current_steps": 10, "total_steps": 90, "loss": 2.5, "lr": 1e-4, "epoch": 0.3, "percentage": 11.1},
        {"current_steps": 10, "total_steps": 90, "eval_loss": 2.4, "epoch": 0.3, "elapsed_time": "0:00:10"},
        {"current_steps": 20, "total_steps": 90, "loss": 2.1, "lr": 9e-5, "epoch": 0.6, "remaining_time": "0:01:00"},
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines) + '{"current_steps": 30, "lo'
    (tmp_path / "trainer_log.jsonl").write_text(text)
    history = foreign.read(tmp_path)
    assert history.series("train/loss") == [(10, 2.5), (20, 2.1)]
    assert history.series("validation/loss") == [(10, 2.4)]
    assert history.names == ["train/epoch", "train/learning_rate", "train/loss", "validation/loss"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("metrics.csv", "epoch,step,train_loss,val_loss\n0,1,2.5,\n0,2,2.25,\n0,2,,2.4\n"),
        ("log.tsv", "step\ttrain_loss\tval_loss\n1\t2.5\t\n2\t2.25\t2.4\n"),
        ("log.jsonl", '{"step": 1, "loss": 2.5}\n{"step": 2, "loss": 2.25, "eval/loss": 2.4}\n'),
        (
            "logging.jsonl",
            '{"global_step/max_steps": "1/9", "loss": 2.5}\n{"step": 2, "loss": 2.25, "eval_loss": 2.4}\n',
        ),
    ],
)
def test_tables_of_scripts_and_loggers_are_read(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    history = foreign.read(tmp_path / name)
    assert history.series("train/loss") == [(1, 2.5), (2, 2.25)]
    assert history.series("validation/loss") == [(2, 2.4)]


@pytest.mark.parametrize(
    "text", ["{}", "[]", "no json", '{"log_history": 3}', '{"log_history": []}', '{"log_history": [3]}']
)
def test_what_is_no_log_says_what_would_be_one(tmp_path: Path, text: str) -> None:
    file = tmp_path / "trainer_state.json"
    file.write_text(text)
    with pytest.raises(DataError, match=r"trainer_state\.json"):
        foreign.read(file)


def test_an_empty_folder_holds_no_log(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no log"):
        foreign.read(tmp_path)
