"""What is told of single rows and places is what transformers computes, and telling it changes nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.training.conftest import At, Bench, chat, lasting, seal, section_of, weights

from tuneloop.errors import TrainingError
from tuneloop.models import find_base
from tuneloop.models.section import ModelSection
from tuneloop.monitoring.history import History
from tuneloop.monitoring.progress import Silent
from tuneloop.monitoring.row_losses import RowLosses, path_of
from tuneloop.monitoring.section import MonitorSection
from tuneloop.parts import find
from tuneloop.rows import Finding, Labeled, Message, Preference, Record, jsonl
from tuneloop.store import Run, Store
from tuneloop.tasks import Task
from tuneloop.training import loop
from tuneloop.training.ready import open_to_learn, ready
from tuneloop.training.signals import Details
from tuneloop.training.state import Room

Maker = Callable[[Path], Bench]
EVERYTHING = MonitorSection()
NOTHING = MonitorSection(details=False, samples=0, general_texts=None)


def rows_of(run: Run, split: str) -> RowLosses:
    rows = RowLosses.read(path_of(run.folder, split))
    assert rows is not None
    return rows


def own_losses(bench: Bench, record: Record) -> tuple[torch.Tensor, list[int]]:
    """Losses of one row's learned tokens by transformers alone, and these tokens."""
    from transformers import AutoModelForCausalLM

    from tuneloop.models import Tokenizer

    model = AutoModelForCausalLM.from_pretrained(bench.base.folder, dtype=torch.float32).eval()
    examples = bench.task.encode(record, Tokenizer.load(bench.base.folder), 64)
    assert isinstance(examples, list)
    ids = torch.tensor([examples[0].ids])
    with torch.no_grad():
        chances = model(ids).logits.log_softmax(-1)[0, :-1]
    places = [place for place, learned in enumerate(examples[0].learn) if learned and place]
    right = [int(ids[0, place]) for place in places]
    return -torch.stack([chances[place - 1, id] for place, id in zip(places, right, strict=True)]), right


def test_the_weights_are_the_same_with_all_signals_and_with_none(tmp_path: Path, new_bench: Maker) -> None:
    section = section_of(batch={"size": 6, "per_device_train_batch_size": 4, "packing": False})
    told, model = new_bench(tmp_path / "told").train(section, monitor=EVERYTHING)
    quiet, same = new_bench(tmp_path / "quiet").train(section, monitor=NOTHING)
    assert weights(model) == weights(same)
    assert lasting(told) == lasting(quiet)
    assert not path_of(quiet.folder, "train").exists()
    names = {signal.name for signal in told.signals()}
    assert names >= {"train/loss/first", "train/grad_norm/layers.01", "train/noise_share", "train/update_ratio"}
    assert names >= {"general/loss", "validation/end_early", "validation/shuffled_loss", "samples/stopped"}


def test_losses_of_rows_and_places_are_those_of_transformers(bench: Bench) -> None:
    run, _ = bench.train()
    rows = rows_of(run, "validation")
    before = rows.step == 0
    found = dict(zip(rows.row[before].tolist(), rows.loss[before].tolist(), strict=True))
    losses = [own_losses(bench, chat(row)) for row in range(40, 52)]
    assert found == {row: pytest.approx(float(own.mean()), rel=1e-4) for row, (own, _) in enumerate(losses)}
    told = {signal.name: signal.value for signal in run.signals() if signal.step == 0}
    first, end = ([float(own[place]) for own, _ in losses] for place in (0, -1))
    rest = torch.cat([own[1:-1] for own, _ in losses])
    assert told["validation/loss/first"] == pytest.approx(np.mean(first), rel=1e-4)
    assert told["validation/loss/end"] == pytest.approx(np.mean(end), rel=1e-4)
    assert told["validation/loss/rest"] == pytest.approx(float(rest.mean()), rel=1e-4)
    assert told["validation/end_probability"] == pytest.approx(np.exp(-np.array(end)).mean(), rel=1e-4)


def test_losses_of_rows_add_up_to_the_loss_of_every_step(bench: Bench) -> None:
    run, _ = bench.train()
    history = History.of_run(run.folder)
    for rows, name in ((history.train_rows, "train/loss"), (history.validation_rows, "validation/loss")):
        assert rows is not None
        for step, loss in history.series(name):
            now = rows.step == step
            assert np.average(rows.loss[now], weights=rows.terms[now]) == pytest.approx(loss, rel=1e-5)
    assert history.train_rows is not None
    visits = np.bincount(history.train_rows.row, minlength=40)
    assert visits.tolist() == [2] * 40, "each row once an epoch"
    assert history.option("name") == "tiny"


def test_rows_of_two_sources_are_told_apart(bench: Bench) -> None:
    other = [Record.of(chat(row).content, origin=f"other.jsonl:{row}") for row in range(52, 60)]
    dataset = seal(bench.store, [*map(chat, range(20)), *other], [*map(chat, range(40, 44)), *other[:4]])
    run, _ = bench.train(dataset=dataset)
    told = {signal.name: signal.value for signal in run.signals() if signal.step == 0}
    rows = rows_of(run, "validation")
    before = rows.entries[rows.step == 0]
    ours = before[before["row"] < 4]
    mean = np.average(ours["loss"], weights=ours["terms"])
    assert told["validation/loss/source/chats.jsonl"] == pytest.approx(mean, rel=1e-5)
    assert "train/loss/source/other.jsonl" in {signal.name for signal in run.signals()}


@pytest.mark.slow
def test_a_run_that_was_killed_tells_the_same_of_every_row(tmp_path: Path, new_bench: Maker) -> None:
    section = section_of(eval_steps=3, checkpoints={"save_steps": 2, "save_total_limit": 2})
    names = ("loss", "grad_norm", "update_ratio", "general", "shuffled", "end_", "samples")

    def lasting_too(run: Run) -> list[tuple[int, str, float]]:
        found = [(signal.step, signal.name, signal.value) for signal in run.signals()]
        return [entry for entry in found if any(name in entry[1] for name in names)]

    whole, _ = new_bench(tmp_path / "whole").train(section, monitor=EVERYTHING)
    killed = new_bench(tmp_path / "killed")

    def crash() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        killed.train(section, progress=At(7, crash), monitor=EVERYTHING)
    (folder,) = {path.parent for path in (killed.store.root / "work").glob("*/signals.jsonl")}
    with path_of(folder, "train").open("ab") as file:
        file.write(b"torn")
    run, _ = killed.train(section, monitor=EVERYTHING)
    for split in ("train", "validation"):
        assert path_of(run.folder, split).read_bytes() == path_of(whole.folder, split).read_bytes()
    assert lasting_too(run) == lasting_too(whole)
    assert (run.folder / "samples.jsonl").read_bytes() == (whole.folder / "samples.jsonl").read_bytes()


def test_a_loss_that_is_no_number_leaves_a_finding(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = type(bench.task)
    loss, calls = kind.loss, []

    def spoiled(task: Any, model: Any, batch: Any) -> torch.Tensor:
        value = loss(task, model, batch)
        if value.requires_grad:
            calls.append(1)
            if len(calls) > 12:
                batch.each[0][:] = float("nan")
                return value * float("nan")
        return value

    monkeypatch.setattr(kind, "loss", spoiled)
    with pytest.raises(TrainingError, match="the loss is nan"):
        bench.train(monitor=NOTHING.model_copy(update={"details": True}))
    (folder,) = {path.parent for path in (bench.store.root / "work").glob("*/signals.jsonl")}
    found = {finding.check: finding for finding in jsonl.read(folder / "findings.jsonl", Finding)}
    history = History.of_run(folder)
    last = history.series("train/loss")[-1][0]
    assert found["not_finite"].first_step == last + 1
    assert found["not_finite"].rows and all(row.startswith("chats.jsonl:") for row in found["not_finite"].rows)


def test_memory_that_runs_out_changes_nothing_that_is_told(bench: Bench) -> None:
    section = section_of(batch={"size": 12, "per_device_train_batch_size": 12, "packing": False})
    loaded = open_to_learn(section, bench.task, bench.model, bench.base, bench.store, 3, None)
    learner = ready(section, loaded, bench.task, bench.dataset, NOTHING, bench.store, 3, Silent())
    learner = replace(learner, details=Details.of(learner, loaded.tokenizer))
    learner.model.eval()  # no dropout, which would be drawn in another order
    loss = learner.loss

    def short(model: Any, batch: Any) -> torch.Tensor:
        if batch.ids.numel() > 6 * batch.ids.shape[1]:
            raise MemoryError
        return loss(model, batch)

    usual = loop.learn(learner, list(range(12)))
    tight = loop.learn(replace(learner, loss=short, room=Room()), list(range(12)))
    assert tight.micro > usual.micro
    rows, same = (np.sort(each.rows, order="row") for each in (usual, tight))
    assert rows["row"].tolist() == same["row"].tolist() == list(range(12))
    assert rows["loss"] == pytest.approx(same["loss"], rel=1e-4)
    assert tight.figures["loss/first"] == pytest.approx(usual.figures["loss/first"], rel=1e-4)


@pytest.mark.parametrize("loss_type", ["sigmoid", "kto"])
def test_preferences_have_a_loss_for_every_pair_or_answer(bench: Bench, loss_type: str) -> None:
    def pair(index: int) -> Record:
        prompt = (Message("user", f"what is {index}"),)
        sides = (Message("assistant", f"it is {index}"),), (Message("assistant", "no idea at all"),)
        return Record.of(Preference(prompt, *sides), origin=f"pairs.jsonl:{index}")

    dataset = seal(bench.store, map(pair, range(12)), map(pair, range(12, 18)))
    run, _ = bench.train(task=find(Task, "preference")(loss_type=loss_type), dataset=dataset)
    rows = rows_of(run, "train")
    assert set(rows.terms.tolist()) == {1}
    told = {signal.step: signal.value for signal in run.signals() if signal.name == "train/loss"}
    assert rows.loss[rows.step == 1].mean() == pytest.approx(told[1], rel=1e-4)


def test_labelled_texts_have_a_loss_each(tmp_path: Path, tiny_encoder: Path) -> None:
    store, model = Store(tmp_path / "store"), ModelSection(base=str(tiny_encoder))
    base = find_base(model, folder=tmp_path, store=store)

    def labelled(row: int) -> Record:
        words = ("good", "nice") if row % 2 else ("bad", "awful")
        return Record.of(Labeled(f"the food is {words[row % 3 % 2]}", "yes" if row % 2 else "no"), origin=f"l:{row}")

    task = find(Task, "text_classification").model_validate({"class_weight": {"yes": 2.0}})
    dataset = seal(store, map(labelled, range(20)), map(labelled, range(20, 28)))
    run, _ = Bench(store, dataset, model, base, task).train(monitor=EVERYTHING)
    rows = rows_of(run, "validation")
    told = {signal.step: signal.value for signal in run.signals() if signal.name == "validation/loss"}
    assert len(rows) == 8 * len(told)
    assert rows.loss[rows.step == 0].mean() == pytest.approx(told[0], rel=1e-4)
    samples = [json.loads(line) for line in (run.folder / "samples.jsonl").read_text().splitlines()]
    assert samples[0]["reference"] in ("yes", "no") and samples[0]["answer"] in ("yes", "no")


@pytest.mark.slow
def test_processes_tell_of_all_rows(tmp_path: Path, new_bench: Maker) -> None:
    section: dict[str, Any] = {
        "adapter": {"lora": {"r": 4, "lora_alpha": 8, "lora_dropout": 0.0}},
        "batch": {"size": 13, "per_device_train_batch_size": 4},
        "num_train_epochs": 1,
    }
    alone, _ = new_bench(tmp_path / "alone").train(section_of(**section))
    both, _ = new_bench(tmp_path / "both").train(section_of(**section, devices=2))
    for split in ("train", "validation"):
        one, two = (np.sort(rows_of(run, split).entries, order=["step", "row"]) for run in (alone, both))
        assert one["row"].tolist() == two["row"].tolist()
        assert one["loss"] == pytest.approx(two["loss"], rel=2e-3)
    told = [{signal.name for signal in run.signals() if signal.step == 1} for run in (alone, both)]
    assert told[0] == told[1]
