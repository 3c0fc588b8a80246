"""Learning from preferences: the reference is computed once, believed only when it holds, and a run goes on by it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.training.conftest import Bench, Heard, chat, seal, section_of, weights

from tuneloop.errors import TrainingError
from tuneloop.parts import find
from tuneloop.rows import Message, Record
from tuneloop.rows import Preference as Pair
from tuneloop.store import Model, Run
from tuneloop.tasks import Task

REFERRING = ("sigmoid", "robust", "ipo", "kto")


@pytest.fixture(autouse=True)
def one_thread() -> Any:
    """The last bits depend on the number of threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def preference(loss_type: str = "sigmoid", **options: Any) -> Any:
    if loss_type == "robust":
        options.setdefault("label_smoothing", 0.1)
    return find(Task, "preference")(loss_type=loss_type, **options)


def pair(index: int) -> Record:
    """A polite answer is preferred to a rude one, whatever is asked."""
    content = Pair(
        (Message("user", f"what is {index} plus {index + 1}"),),
        (Message("assistant", f"the quick fox asks: is it {2 * index + 1}" + " and more" * (index % 3)),),
        (Message("assistant", f"lazy dog {index}" + " over" * (index % 4)),),
    )
    return Record.of(content, origin=f"pairs.jsonl:{index + 1}")


@pytest.fixture
def prefer(new_bench: Callable[[Path], Bench]) -> Callable[..., tuple[Bench, Any]]:
    """Makes a bench with 24 pairs to learn and 8 held out, and a function that trains on them."""

    def make(folder: Path, loss_type: str = "sigmoid", **options: Any) -> tuple[Bench, Any]:
        bench = new_bench(folder)
        dataset = seal(bench.store, map(pair, range(24)), map(pair, range(24, 32)))
        task = preference(loss_type, **options)

        def train(section: Any = None, **changes: Any) -> tuple[Run, Model]:
            chosen = section or section_of(num_train_epochs=3, max_length=96)
            return bench.train(chosen, **({"task": task, "dataset": dataset} | changes))

        return bench, train

    return make


def receipts(run: Run) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run.folder / "receipts.json").read_text())
    return found


def values(run: Run, name: str) -> list[float]:
    return [signal.value for signal in run.signals() if signal.name == name]


def all_signals(run: Run) -> list[tuple[int, str, float]]:
    clock = ("train/tokens_per_second", "train/memory_mb")
    return [(signal.step, signal.name, signal.value) for signal in run.signals() if signal.name not in clock]


def references(bench: Bench) -> list[Path]:
    return sorted((bench.store.root / "cache").glob("reference-*"))


@pytest.mark.parametrize("loss_type", ["sigmoid", "robust", "ipo", "simpo", "orpo", "kto"])
def test_every_loss_teaches_what_is_preferred(tmp_path: Path, prefer: Any, loss_type: str) -> None:
    _, train = prefer(tmp_path / "store", loss_type, beta={"simpo": 2.0, "orpo": 1.0}.get(loss_type, 0.1))
    run, model = train(section_of(num_train_epochs=4, max_length=96, optimizer={"adamw": {"learning_rate": 2e-2}}))
    margins = values(run, "validation/rewards/margins")
    assert margins[-1] > margins[0] + 0.05
    assert values(run, "validation/loss")[-1] < values(run, "validation/loss")[0]
    assert values(run, "validation/rewards/accuracies")[-1] >= (0.75 if loss_type == "kto" else 0.9)
    assert "train/rewards/chosen" in {signal.name for signal in run.signals()}
    assert receipts(run)["task"]["loss_type"] == loss_type
    assert (model.weights / "adapter_config.json").is_file()


@pytest.mark.parametrize("loss_type", REFERRING)
@pytest.mark.parametrize("adapter", ["lora", "full"])
def test_a_run_begins_at_its_own_reference(tmp_path: Path, prefer: Any, loss_type: str, adapter: str) -> None:
    _, train = prefer(tmp_path / "store", loss_type)
    how: Any = {"lora": {"r": 4}} if adapter == "lora" else "full"
    run, _ = train(section_of(adapter=how, max_steps=2, max_length=96, optimizer={"adamw": {"learning_rate": 1e-3}}))
    expected = {"ipo": 25.0, "kto": 0.5}.get(loss_type, math.log(2))
    assert values(run, "validation/loss")[0] == pytest.approx(expected, rel=1e-5)
    assert values(run, "validation/rewards/margins")[0] == pytest.approx(0, abs=1e-5)


def test_in_bf16_too(tmp_path: Path, prefer: Any) -> None:
    _, train = prefer(tmp_path / "store")
    run, _ = train(section_of(precision="bf16", max_steps=2, max_length=96))
    assert values(run, "validation/loss")[0] == pytest.approx(math.log(2), abs=0.01)


def test_an_adapter_whose_first_weights_are_not_zero_is_its_own_reference(tmp_path: Path, prefer: Any) -> None:
    _, train = prefer(tmp_path / "store")
    section = section_of(adapter={"lora": {"r": 4, "init_lora_weights": "pissa"}}, max_steps=2, max_length=96)
    run, _ = train(section)
    assert values(run, "validation/loss")[0] == pytest.approx(math.log(2), rel=1e-5)


def test_going_on_from_a_tuned_model_takes_that_model_for_reference(tmp_path: Path, prefer: Any) -> None:
    _, train = prefer(tmp_path / "store")
    _, first = train()
    run, _ = train(section_of(max_steps=2, max_length=96), start=first)
    assert values(run, "validation/loss")[0] == pytest.approx(math.log(2), rel=1e-5)
    assert receipts(run)["reference"]["train"]["cached"] is False


def test_the_reference_is_computed_once_and_the_receipts_say_so(tmp_path: Path, prefer: Any) -> None:
    bench, train = prefer(tmp_path / "store")
    first, second = Heard(), Heard()
    run, _ = train(progress=first)
    again, _ = train(section_of(num_train_epochs=2, max_length=96), progress=second)
    assert first.works.count("reading train rows with the reference") == 1
    assert "reading train rows with the reference" not in second.works
    assert len(references(bench)) == 2
    told = [receipts(each)["reference"] for each in (run, again)]
    assert [(each["train"]["cached"], each["validation"]["cached"]) for each in told] == [(False, False), (True, True)]
    means = receipts(run)["task"]["mean_reference_logps"]
    cached = [np.load(path)["values"] for path in references(bench)]
    by_rows = {len(array): array.mean(0) for array in cached}
    assert [means["chosen"], means["rejected"]] == pytest.approx(by_rows[24].tolist(), rel=1e-5)


def test_the_receipts_show_that_the_options_act(tmp_path: Path, prefer: Any) -> None:
    for loss_type, options in (
        ("sigmoid", {"label_smoothing": 0.2, "rpo_alpha": 0.5}),
        ("simpo", {"beta": 2.0, "simpo_gamma": 1.5}),
        ("kto", {"desirable_weight": 1.5, "undesirable_weight": 0.7}),
    ):
        _, train = prefer(tmp_path / loss_type, loss_type, **options)
        run, _ = train(section_of(max_steps=2, max_length=96))
        told = receipts(run)["task"]
        changed = {name.split()[0] for name, loss in told["loss_with"].items() if loss != told["loss"]}
        expected = {"beta", *options}
        # the shortest row is a bad answer, so the weight of good ones shows only in others
        assert changed == expected - ({"desirable_weight"} if loss_type == "kto" else set())


def test_a_loss_without_reference_computes_none(tmp_path: Path, prefer: Any) -> None:
    bench, train = prefer(tmp_path / "store", "simpo", beta=2.0)
    run, _ = train()
    assert references(bench) == []
    assert receipts(run)["reference"] is None


@pytest.mark.parametrize("damage", ["rubbish", "flipped", "of other weights"])
def test_a_cached_reference_that_does_not_hold_is_computed_again(tmp_path: Path, prefer: Any, damage: str) -> None:
    bench, train = prefer(tmp_path / "store")
    run, model = train()
    short = section_of(num_train_epochs=3, max_length=96, checkpoints={"save_total_limit": 2})
    for path in references(bench):
        data = bytearray(path.read_bytes())
        if damage == "rubbish":
            path.write_bytes(b"rubbish")
        elif damage == "flipped":
            data[len(data) // 2] ^= 0x40
            path.write_bytes(data)
        else:
            from tuneloop.training.reference import _save

            _save(path, np.load(path)["values"] - 5)
    again, same = train(short)
    assert receipts(again)["reference"]["train"]["cached"] is False
    assert weights(same) == weights(model)
    assert all_signals(again) == all_signals(run)


class Crash(Exception):
    pass


class Crashing(Heard):
    """Ends a run in the middle of a step."""

    def advance(self, done: int, figures: Any = None) -> None:
        super().advance(done, figures)
        if figures and "train/loss" in figures and done == 7:
            raise Crash


@pytest.mark.parametrize("loss_type", ["sigmoid", "kto"])
def test_a_run_that_was_cut_off_goes_on_bit_for_bit_with_the_same_reference(
    tmp_path: Path, prefer: Any, loss_type: str
) -> None:
    section = section_of(num_train_epochs=3, max_length=96, checkpoints={"save_steps": 2})
    _, whole = prefer(tmp_path / "whole", loss_type)
    expected = whole(section)
    bench, train = prefer(tmp_path / "cut", loss_type)
    with pytest.raises(Crash):
        train(section, progress=Crashing())
    before = [path.read_bytes() for path in references(bench)]
    progress = Heard()
    run, model = train(section, progress=progress)
    assert any("going on after step 6" in note for note in progress.notes)
    assert not any("reference" in work for work in progress.works), "the cache is used, not the weights of step 6"
    assert [path.read_bytes() for path in references(bench)] == before
    assert weights(model) == weights(expected[1])
    assert all_signals(run) == all_signals(expected[0])


def test_a_lost_cache_is_made_from_the_first_weights_not_from_the_checkpoint(tmp_path: Path, prefer: Any) -> None:
    section = section_of(num_train_epochs=3, max_length=96, checkpoints={"save_steps": 2})
    _, whole = prefer(tmp_path / "whole")
    expected = whole(section)
    bench, train = prefer(tmp_path / "cut")
    with pytest.raises(Crash):
        train(section, progress=Crashing())
    for path in references(bench):
        path.unlink()
    run, model = train(section)
    assert weights(model) == weights(expected[1])
    assert all_signals(run) == all_signals(expected[0])


@pytest.mark.parametrize("loss_type", ["sigmoid", "kto"])
def test_how_a_step_is_cut_into_batches_changes_nothing(tmp_path: Path, prefer: Any, loss_type: str) -> None:
    losses = []
    for micro, packing in ((1, "auto"), (3, False), (6, True)):
        _, train = prefer(tmp_path / f"store{micro}", loss_type)
        section = section_of(
            adapter={"lora": {"r": 4, "lora_dropout": 0.0}},
            batch={"size": 6, "per_device_train_batch_size": micro, "packing": packing},
            max_steps=4,
            max_length=96,
        )
        run, _ = train(section)
        losses.append([*values(run, "train/loss"), *values(run, "train/grad_norm")])
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)
    assert losses[2] == pytest.approx(losses[0], rel=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("loss_type", ["sigmoid", "kto"])
def test_two_processes_learn_what_one_does(tmp_path: Path, prefer: Any, loss_type: str) -> None:
    found = []
    for devices in (1, 2):
        _, train = prefer(tmp_path / f"store{devices}", loss_type)
        adapter = {"lora": {"r": 4, "lora_dropout": 0.0}}
        run, _ = train(section_of(adapter=adapter, devices=devices, max_steps=4, max_length=96))
        names = ("train/loss", "validation/loss", "train/rewards/margins", "validation/rewards/accuracies")
        found.append([value for name in names for value in values(run, name)])
    assert found[1] == pytest.approx(found[0], rel=1e-5, abs=1e-6)


def test_rows_without_pairs_are_refused_with_what_to_write(tmp_path: Path, prefer: Any) -> None:
    bench, train = prefer(tmp_path / "store")
    with pytest.raises(TrainingError, match="preference compares answers, these are chat rows"):
        train(dataset=seal(bench.store, map(chat, range(10))))
    single = [
        Record.of(Pair((Message("user", f"what is {i}"),), (Message("assistant", "the fox"),)), origin=f"j:{i}")
        for i in range(10)
    ]
    with pytest.raises(TrainingError, match="write loss_type: kto"):
        train(dataset=seal(bench.store, single))
