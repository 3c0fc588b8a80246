"""Runs with a teacher: what makes them different, how they go on, and what a student learns on real rows."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.training.conftest import Bench, Heard, lasting, section_of, weights

from tuneloop.parts import find
from tuneloop.tasks import Task
from tuneloop.training.interrupt import Stopped


def task(teacher: Path | str, **options: Any) -> Task:
    return find(Task, "distillation").model_validate({"teacher": str(teacher), **options})


@pytest.fixture(scope="module")
def other_model(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    """A wider model with the tiny model's tokenizer."""
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    folder = tmp_path_factory.mktemp("other")
    torch.manual_seed(5)
    config = LlamaConfig.from_pretrained(tiny_model)
    config.update({"hidden_size": 48})
    LlamaForCausalLM(config).save_pretrained(folder)
    AutoTokenizer.from_pretrained(tiny_model).save_pretrained(folder)
    return folder


class Interrupt(Heard):
    """Asks a run to stop after its fifth step."""

    def advance(self, done: int, figures: Any = None) -> None:
        if figures and "train/loss" in figures and done == 5:
            os.kill(os.getpid(), signal.SIGTERM)


def trained(bench: Bench, what: Task, **changes: Any) -> Any:
    others = what.others(folder=bench.store.root, store=bench.store)
    return bench.train(section_of(**changes), task=what, others=others)


def test_another_teacher_makes_another_run(tiny_model: Path, other_model: Path, bench: Bench) -> None:
    few = {"num_train_epochs": 0.5}
    _, one = trained(bench, task(tiny_model), **few)
    _, two = trained(bench, task(other_model), **few)
    assert trained(bench, task(tiny_model), **few)[1].id == one.id
    assert one.id != two.id
    assert weights(one) != weights(two)


def test_a_teacher_of_the_store_is_a_parent(tiny_model: Path, bench: Bench) -> None:
    _, teacher = bench.train(section_of(num_train_epochs=0.5))
    _, student = trained(bench, task(teacher.id), num_train_epochs=0.5)
    assert student.parents["teacher"] == teacher.id


def test_a_run_that_was_stopped_goes_on_with_the_very_same_steps(
    other_model: Path, new_bench: Any, tmp_path: Path
) -> None:
    what = task(other_model, temperature=2.0)
    run, whole = trained(new_bench(tmp_path / "whole"), what)
    bench = new_bench(tmp_path / "stopped")
    others = what.others(folder=tmp_path, store=bench.store)
    with pytest.raises(Stopped):
        bench.train(section_of(), task=what, others=others, progress=Interrupt())
    again, resumed = bench.train(section_of(), task=what, others=others)
    assert weights(resumed) == weights(whole)
    assert lasting(again) == lasting(run)


@pytest.mark.slow
def test_a_smaller_student_comes_nearer_to_its_tuned_teacher(real: Path, tmp_path: Path) -> None:
    import json
    import shutil

    from tests.training.conftest import seal

    from tuneloop.models import find_base
    from tuneloop.models.section import ModelSection
    from tuneloop.rows import Chat, Message, Record
    from tuneloop.store import Store

    (source,) = list((real / "sft_en").glob("alpaca_data-0-*.json"))
    raw = json.loads(source.read_text(encoding="utf-8"))
    rows = [
        Record.of(Chat((Message("user", each["instruction"]), Message("assistant", each["output"]))), origin="a:1")
        for each in raw
        if each["output"].strip() and not each["input"]
    ]
    folder = tmp_path / "small"
    shutil.copytree(real / "models" / "stories260K", folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 2}))
    (folder / "model.safetensors").unlink()
    store = Store(tmp_path / "store")

    def bench(base: Path, **section: Any) -> Bench:
        model = ModelSection(base=str(base), **section)
        found = find_base(model, folder=tmp_path, store=store)
        return Bench(store, seal(store, rows[:240], rows[240:280]), model, found, find(Task, "sft")())

    options = {"optimizer": {"adamw": {"learning_rate": 3e-3}}, "batch": {"size": 8}, "max_length": 256}
    _, teacher = bench(real / "models" / "stories260K").train(section_of(num_train_epochs=1, **options))
    student = bench(folder, init="random")
    run, _ = trained(student, task(teacher.id, kd_ratio=0.9), adapter="full", num_train_epochs=2, **options)
    apart = [signal.value for signal in run.signals() if signal.name == "validation/divergence"]
    assert apart[-1] < 0.6 * apart[0]
    assert apart == sorted(apart, reverse=True)
