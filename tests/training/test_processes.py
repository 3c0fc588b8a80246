"""Several processes make one run: the same losses, the same rows, and none of them outlives the others."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.training.conftest import At, Bench, Heard, chat, lasting, make_bench, section_of, weights
from tests.training.pair import together

from tuneloop.errors import TrainingError
from tuneloop.monitoring.section import MonitorSection
from tuneloop.store import Run
from tuneloop.training.batches import order
from tuneloop.training.interrupt import Stopped
from tuneloop.training.job import Job
from tuneloop.training.processes import ranks as meeting
from tuneloop.training.processes.share import share
from tuneloop.training.processes.told import Told, error_of, of_error
from tuneloop.training.randomness import own_randomness, part_ways
from tuneloop.training.state import State

LORA = {"lora": {"r": 4, "lora_alpha": 8, "lora_dropout": 0.0}}
KEPT = {"fsdp": {"reshard_after_forward": False}}
UNEVEN = {"batch": {"size": 13, "per_device_train_batch_size": 4}}
"""40 rows make steps of 13, 13, 13 and 1: of the last one a process has nothing."""


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def job_of(bench: Bench, **changes: Any) -> Job:
    parts = (bench.task, bench.model, bench.base, bench.dataset, MonitorSection(), bench.store)
    return Job(section_of(**changes), *parts, 3, {"name": "tiny"})


def receipts(run: Run) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run.folder / "receipts.json").read_text())
    return found


def rows_in_order(epochs: list[int], count: int = 40) -> str:
    """The digest of rows that were seen in the order of these epochs, each once."""
    state = State()
    for epoch in epochs:
        state.saw(chat(int(row)).id for row in order(count, seed=3, epoch=epoch))
    return state.seen


@pytest.mark.parametrize(
    "kinds",
    [
        [("lora", "ddp"), ("full", "fsdp")],
        pytest.param([("full", "ddp"), ("lora", "fsdp"), ("full", KEPT)], marks=pytest.mark.slow),
    ],
)
def test_two_processes_learn_what_one_does(tmp_path: Path, tiny_model: Path, kinds: list[tuple[str, Any]]) -> None:
    adapters = {"lora": LORA, "full": "full"}
    jobs = {
        str(number): {"adapter": adapters[adapter], "parallel": parallel, **UNEVEN}
        for number, (adapter, parallel) in enumerate(kinds)
    }
    found = together(tmp_path, tiny_model, jobs)
    bench = make_bench(tmp_path / "alone", tiny_model)
    for number, (adapter, parallel) in enumerate(kinds):
        run, _ = bench.train(section_of(adapter=adapters[adapter], **UNEVEN))
        alone, both = lasting(run), found[str(number)]
        assert [entry[:2] for entry in both["lasting"]] == [list(entry[:2]) for entry in alone]
        for (_, _, value), (step, name, expected) in zip(both["lasting"], alone, strict=True):
            assert value == pytest.approx(expected, rel=1e-5), (adapter, parallel, step, name)
        proof, plain = both["receipts"], receipts(run)
        assert proof["rows_digest"] == plain["rows_digest"] == rows_in_order([0, 1])
        assert proof["weights"]["moved"] == pytest.approx(plain["weights"]["moved"], rel=1e-4)
        assert both["facts"]["architecture"] == "LlamaForCausalLM"
        shared = proof["processes"]
        assert shared["count"] == 2 and shared["weights_equal"]
        assert sum(shared["rows"]) == 80 and min(shared["rows"]) > 30
        if parallel == "ddp":
            assert shared["gradients_equal"]
        else:
            assert shared["share_held"] == pytest.approx(0.5, abs=0.02)


def test_one_command_starts_the_processes_and_shows_what_they_do(bench: Bench) -> None:
    progress = Heard()
    run, model = bench.train(section_of(devices=2, max_steps=4), progress=progress)
    assert "training" in progress.works
    assert [figures for figures in progress.figures if "train/loss" in figures]
    assert receipts(run)["processes"]["count"] == 2
    again = bench.train(section_of(devices=1, max_steps=4, batch={"size": 6}))
    assert (run.id, model.id) == (again[0].id, again[1].id), "how many processes is no part of what is asked for"
    assert children() == []


def children() -> list[psutil.Process]:
    """The workers of this test process that are still there."""
    return [child for child in psutil.Process().children() if "tuneloop.training.processes.worker" in child.cmdline()]


@given(st.lists(st.integers(1, 500), max_size=40), st.integers(1, 5))
def test_every_row_of_a_step_goes_to_one_process_and_tokens_are_balanced(lengths: list[int], count: int) -> None:
    shares = share(range(len(lengths)), lengths, count)
    assert sorted(row for each in shares for row in each) == list(range(len(lengths)))
    loads = [sum(lengths[row] for row in each) for each in shares]
    assert max(loads) - min(loads) <= max(lengths, default=0)


def test_processes_draw_other_numbers_and_the_first_those_of_a_run_alone() -> None:
    drawn = []
    for rank in (None, 0, 1, 2):
        with own_randomness(3):
            if rank is not None:
                part_ways(3, rank)
            drawn.append(float(torch.rand(())))
    assert drawn[0] == drawn[1]
    assert len(set(drawn)) == 3


def test_an_error_comes_through_the_pipe_as_it_was() -> None:
    stopped = error_of(of_error(Stopped(7, 20, signal.SIGTERM)))
    assert isinstance(stopped, Stopped) and stopped.exit_code == 143 and "after step 7 of 20" in str(stopped)
    other = error_of(of_error(TrainingError("no", where="there", fix="do")))
    assert type(other) is TrainingError and other.problems == TrainingError("no", where="there", fix="do").problems
    assert error_of(Told("error", "Lost", problems=[("gone", "gloo", "again")])).problems[0].what == "gone"


def test_a_job_comes_through_the_pipe_as_it_was(bench: Bench) -> None:
    job = job_of(bench, parallel={"fsdp": {"reshard_after_forward": False}}, adapter=LORA)
    read = Job.of_json(job.to_json())
    assert read.key == job.key
    assert read.train == job.train
    assert read.base == job.base


def test_what_shares_the_work_is_no_part_of_the_key_and_the_batch_is(bench: Bench) -> None:
    key = job_of(bench).key
    assert job_of(bench, devices=2, parallel="fsdp", batch={"size": 6, "per_device_train_batch_size": 1}).key == key
    assert job_of(bench, batch={"size": 7}).key != key


def test_too_few_devices_are_told_before_anything_starts(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(TrainingError, match="2 processes need 2 CUDA devices, this machine shows 1") as told:
        bench.train(section_of(devices=2))
    assert told.value.problems[0].fix.startswith("write devices: 1")


def test_one_process_has_nothing_to_shard(bench: Bench) -> None:
    with pytest.raises(TrainingError, match="this run has one"):
        bench.train(section_of(parallel="fsdp", max_steps=2))


def test_processes_on_other_machines_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"RANK": "0", "WORLD_SIZE": "4", "LOCAL_WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(TrainingError, match="more than one machine"), meeting.joined():
        pass


LONG: dict[str, Any] = {
    "num_train_epochs": 2.75,
    "eval_steps": 3,
    "checkpoints": {"save_steps": 2, "save_total_limit": 2},
    "devices": 2,
}
"""20 uneven steps with dropout, shared by two processes."""


def kill(rank: int) -> None:
    (worker,) = [child for child in children() if child.environ()["RANK"] == str(rank)]
    worker.kill()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> tuple[Run, bytes]:
    """What two processes make that nothing disturbs."""
    run, model = make_bench(tmp_path_factory.mktemp("whole"), tiny_model).train(section_of(**LONG))
    return run, weights(model)


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 1])
def test_one_killed_process_ends_all_and_the_run_goes_on_bit_for_bit(
    bench: Bench, whole: tuple[Run, bytes], rank: int
) -> None:
    killed: list[float] = []

    def act() -> None:
        kill(rank)
        killed.append(time.monotonic())

    with pytest.raises(TrainingError, match=f"process {rank} of 2 was ended by SIGKILL; the last checkpoint is kept"):
        bench.train(section_of(**LONG), progress=At(9, act))
    assert time.monotonic() - killed[0] < 10
    assert children() == []
    progress = Heard()
    run, model = bench.train(section_of(**LONG), progress=progress)
    assert [note for note in progress.notes if note.startswith("going on after step ")]
    assert lasting(run) == lasting(whole[0])
    assert weights(model) == whole[1]
    assert receipts(run)["rows_digest"] == receipts(whole[0])["rows_digest"]


@pytest.mark.slow
def test_another_number_of_processes_goes_on_with_the_same_rows(bench: Bench, whole: tuple[Run, bytes]) -> None:
    with pytest.raises(TrainingError, match="SIGKILL"):
        bench.train(section_of(**LONG), progress=At(9, lambda: kill(1)))
    run, _ = bench.train(section_of(**{**LONG, "devices": 1, "parallel": "ddp"}))
    proof = receipts(run)
    assert proof["rows_digest"] == receipts(whole[0])["rows_digest"]
    assert [each["processes"] for each in proof["processes"]["from_step"]] == [2, 1]
    assert proof["steps"]["made"] == 20


@pytest.mark.slow
def test_sharded_and_whole_models_go_on_from_each_other(bench: Bench) -> None:
    changes = {**LONG, "adapter": "full"}
    expected = lasting(bench.train(section_of(**{**changes, "devices": 1, "eval_steps": 4}))[0])
    sharded = section_of(**{**changes, "parallel": "fsdp", "eval_steps": 4})
    other = make_bench(bench.store.root.parent / "other", Path(bench.model.base))
    with pytest.raises(TrainingError, match="SIGKILL"):
        other.train(sharded, progress=At(9, lambda: kill(1)))
    with pytest.raises(TrainingError, match="SIGKILL"):
        other.train(sharded, progress=At(15, lambda: kill(0)))
    run, _ = other.train(section_of(**{**changes, "eval_steps": 4}))
    assert [entry[:2] for entry in lasting(run)] == [entry[:2] for entry in expected]
    for (_, name, value), (_, _, wanted) in zip(lasting(run), expected, strict=True):
        if name == "validation/loss" or name == "train/loss":
            assert value == pytest.approx(wanted, rel=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_stop_signal_ends_all_processes_at_the_same_step(
    bench: Bench, whole: tuple[Run, bytes], number: signal.Signals, code: int
) -> None:
    with pytest.raises(Stopped, match="of 20; its state is saved") as stopped:
        bench.train(section_of(**LONG), progress=At(5, lambda: os.kill(os.getpid(), number)))
    assert stopped.value.exit_code == code
    assert children() == []
    run, model = bench.train(section_of(**LONG))
    assert lasting(run) == lasting(whole[0])
    assert weights(model) == whole[1]


@pytest.mark.slow
def test_no_process_outlives_the_one_that_started_it(tmp_path: Path, tiny_model: Path) -> None:
    recipe = recipe_in(tmp_path, tiny_model, num_train_epochs=500)
    watcher = subprocess.Popen([sys.executable, "-m", "tuneloop", "train", str(recipe), "--devices", "2"], cwd=tmp_path)
    workers: list[psutil.Process] = []
    try:
        until = time.monotonic() + 120
        while not list(tmp_path.glob(".tuneloop/work/*/signals.jsonl")) and time.monotonic() < until:
            assert watcher.poll() is None
            time.sleep(0.2)
        workers = psutil.Process(watcher.pid).children()
        assert len(workers) == 2
    finally:
        watcher.kill()
        watcher.wait()
    gone, alive = psutil.wait_procs(workers, timeout=10)
    assert len(gone) == 2 and not alive


@pytest.mark.slow
def test_torchrun_starts_the_same_run(tmp_path: Path, tiny_model: Path) -> None:
    recipe = recipe_in(tmp_path, tiny_model, max_steps=4)
    run = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    run += ["-m", "tuneloop", "train", str(recipe), "--json"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    done = subprocess.run(run, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    (found,) = tmp_path.glob(".tuneloop/artifacts/run-*")
    proof = json.loads((found / "receipts.json").read_text())["processes"]
    assert (proof["count"], proof["backend"]) == (2, "gloo")
    assert json.loads(done.stdout)["id"].startswith("model-"), "only the first process prints"


def recipe_in(folder: Path, base: Path, **train: Any) -> Path:
    """A recipe beside its rows."""
    with (folder / "chats.jsonl").open("w", encoding="utf-8") as file:
        for index in range(60):
            said = [("user", f"what is {index} plus {index + 1}"), ("assistant", f"it is {2 * index + 1}")]
            file.write(json.dumps({"messages": [{"role": role, "content": text} for role, text in said]}) + "\n")
    recipe = {
        "name": "tiny",
        "data": {"sources": ["chats.jsonl"]},
        "model": {"base": str(base)},
        "train": {"max_length": 64, "batch": {"size": 6}, **train},
    }
    (folder / "tiny.yaml").write_text(json.dumps(recipe))
    return folder / "tiny.yaml"


def stop_at(bench: Bench, step: int, **changes: Any) -> None:
    with pytest.raises(Stopped):
        bench.train(section_of(**changes), progress=At(step, lambda: os.kill(os.getpid(), signal.SIGTERM)))


def test_a_stopped_run_goes_on_with_larger_batches_and_every_row_is_seen_once(bench: Bench) -> None:
    small = {"batch": {"size": 4}, "adapter": LORA, "num_train_epochs": 2}
    stop_at(bench, 13, **small)  # 40 rows of the first epoch, 12 of the second
    progress = Heard()
    run, model = bench.train(section_of(**{**small, "batch": {"size": 10}}), continue_from="latest", progress=progress)
    proof = receipts(run)
    assert "going on after step 13 of 16" in progress.notes  # 28 rows are left: three steps
    assert proof["steps"]["made"] == 16
    assert proof["rows_digest"] == rows_in_order([0, 1])
    plain = receipts(bench.train(section_of(**{**small, "batch": {"size": 10}}))[0])
    assert proof["schedule"]["last"] == pytest.approx(plain["schedule"]["last"])
    assert [signal.step for signal in run.signals() if signal.name == "train/loss"] == list(range(1, 17))
    same = bench.train(section_of(**{**small, "batch": {"size": 10}}), continue_from=str(run.facts["continues"])[:8])
    assert same[1].id == model.id


def test_only_a_run_that_fits_can_be_continued(bench: Bench) -> None:
    with pytest.raises(TrainingError, match="no stopped run is called 'latest'"):
        bench.train(section_of(max_steps=2), continue_from="latest")
    stop_at(bench, 5, batch={"size": 4}, adapter=LORA)
    other = {"lora": {"r": 2, "lora_alpha": 8, "lora_dropout": 0.0}}
    with pytest.raises(TrainingError, match=r"differs in train\.adapter"):
        bench.train(section_of(batch={"size": 8}, adapter=other), continue_from="latest")
    with pytest.raises(TrainingError, match="differs in seed"):
        bench.train(section_of(batch={"size": 8}, adapter=LORA), continue_from="latest", seed=4)
    progress = Heard()
    bench.train(section_of(batch={"size": 8}, adapter=LORA, max_steps=2), progress=progress)
    assert any("--continue-from" in note for note in progress.notes)
    with pytest.raises(TrainingError, match="asks for no more"):
        bench.train(section_of(batch={"size": 8}, adapter=LORA, num_train_epochs=0.2), continue_from="latest")


def test_micro_batches_may_change_on_the_way(bench: Bench) -> None:
    stop_at(bench, 5, adapter=LORA)
    run, _ = bench.train(section_of(adapter=LORA, batch={"size": 6, "per_device_train_batch_size": 1}))
    assert receipts(run)["rows_digest"] == rows_in_order([0, 1])
    assert receipts(run)["steps"]["micro_batches_most"] == 6
