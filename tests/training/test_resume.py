"""Kills, stops, damage and full disks: a run goes on as if nothing had happened, or says in one message why not."""

from __future__ import annotations

import errno
import os
import random
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.training.conftest import At, Bench, Heard, lasting, make_bench, section_of, weights

from tuneloop.errors import StoreError
from tuneloop.store import Model, Run
from tuneloop.training import checkpoints as saving
from tuneloop.training import train as training
from tuneloop.training.interrupt import Stopped
from tuneloop.training.section import TrainSection

Maker = Callable[[Path], Bench]
Trained = tuple[Run, Model]


def long_section(optimizer: str = "adamw", schedule: str = "plateau") -> TrainSection:
    """20 uneven steps over 3 epochs with dropout; evaluations out of step with the checkpoints."""
    return section_of(
        optimizer={optimizer: {"learning_rate": 5e-3}},
        schedule=schedule,
        num_train_epochs=2.75,
        eval_steps=3,
        checkpoints={"save_steps": 2, "save_total_limit": 2},
    )


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """The last bits depend on the number of threads, and a forked child may only use one."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def whole(one_thread: None, tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Trained:
    """The run that nothing disturbed."""
    return make_bench(tmp_path_factory.mktemp("whole"), tiny_model).train(long_section())


def work_of(bench: Bench) -> Path:
    return next(path for path in (bench.store.root / "work").iterdir() if path.is_dir())


class Slow(Heard):
    """Makes a run last long enough to be killed in the middle."""

    def advance(self, done: int, figures: Any = None) -> None:
        time.sleep(0.15)


class Crash(Exception):
    pass


def crash() -> None:
    raise Crash


def crash_at(bench: Bench, step: int, section: TrainSection) -> None:
    with pytest.raises(Crash):
        bench.train(section, progress=At(step, crash))


@pytest.mark.parametrize("optimizer", ["adamw", "adam", "sgd", "rmsprop", "adafactor"])
def test_a_crashed_run_goes_on_bit_for_bit(tmp_path: Path, new_bench: Maker, optimizer: str) -> None:
    section = long_section(optimizer)
    expected = new_bench(tmp_path / "expected").train(section)
    bench = new_bench(tmp_path / "cut")
    for step in (5, 12):
        crash_at(bench, step, section)
    progress = Heard()
    run, model = bench.train(section, progress=progress)
    assert "going on after step 10 of 20" in progress.notes
    assert weights(model) == weights(expected[1])
    assert lasting(run) == lasting(expected[0])


def test_kill_minus_nine_at_random_moments_changes_nothing(tmp_path: Path, new_bench: Maker, whole: Trained) -> None:
    if not hasattr(os, "fork"):
        pytest.skip("needs fork")
    section = long_section()
    bench = new_bench(tmp_path / "killed")
    moments = random.Random(5)
    for _ in range(5):
        child = os.fork()
        if child == 0:
            bench.train(section, progress=Slow())
            os._exit(0)
        time.sleep(moments.uniform(0.4, 1.0))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status), "the run was meant to be too slow to end before it is killed"
    run, model = bench.train(section)
    assert weights(model) == weights(whole[1])
    assert lasting(run) == lasting(whole[0])


@pytest.mark.parametrize("name", ["weights.safetensors", "state.json", "manifest.json"])
def test_a_damaged_checkpoint_is_passed_over(tmp_path: Path, new_bench: Maker, whole: Trained, name: str) -> None:
    section = long_section()
    bench = new_bench(tmp_path / "damaged")
    crash_at(bench, 9, section)
    newest = max((work_of(bench) / "checkpoints").glob("step-*"))
    assert newest.name == "step-00000008"
    data = bytearray((newest / name).read_bytes())
    data[len(data) // 2] ^= 0xFF
    (newest / name).write_bytes(data)
    progress = Heard()
    run, model = bench.train(section, progress=progress)
    assert any("step 8 is damaged" in note for note in progress.notes)
    assert "going on after step 6 of 20" in progress.notes
    assert weights(model) == weights(whole[1])
    assert lasting(run) == lasting(whole[0])


def test_a_vanished_checkpoint_folder_starts_anew(tmp_path: Path, new_bench: Maker, whole: Trained) -> None:
    section = long_section()
    bench = new_bench(tmp_path / "bare")
    crash_at(bench, 9, section)
    shutil.rmtree(work_of(bench) / "checkpoints")
    run, model = bench.train(section)
    assert weights(model) == weights(whole[1])
    assert lasting(run) == lasting(whole[0])


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_stop_signal_saves_and_the_same_command_goes_on(
    tmp_path: Path, new_bench: Maker, whole: Trained, number: signal.Signals, code: int
) -> None:
    section = long_section()
    bench = new_bench(tmp_path / "stopped")
    handlers = (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT))
    with pytest.raises(Stopped, match="after step 7 of 20") as stopped:
        bench.train(section, progress=At(7, lambda: os.kill(os.getpid(), number)))
    assert stopped.value.exit_code == code
    assert "same command again" in stopped.value.problems[0].fix
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == handlers
    progress = Heard()
    run, model = bench.train(section, progress=progress)
    assert "going on after step 7 of 20" in progress.notes
    assert weights(model) == weights(whole[1])
    assert lasting(run) == lasting(whole[0])


def test_training_works_away_from_the_main_thread(bench: Bench) -> None:
    made: list[Any] = []
    thread = threading.Thread(target=lambda: made.append(bench.train(section_of(max_steps=2))))
    thread.start()
    thread.join()
    assert len(made) == 1


def test_only_the_newest_checkpoints_and_the_best_are_kept(bench: Bench) -> None:
    section = section_of(
        optimizer={"adamw": {"learning_rate": 0.5}},
        schedule={"constant": {"warmup_steps": 4}},
        max_steps=12,
        eval_steps=1,
        stop=None,
        checkpoints={"save_total_limit": 2},
    )
    crash_at(bench, 12, section)
    kept = sorted(int(path.name[5:]) for path in (work_of(bench) / "checkpoints").iterdir())
    assert kept[-2:] == [10, 11]
    assert len(kept) == 3


def test_a_checkpoint_holds_no_frozen_weight_and_no_pickle(bench: Bench) -> None:
    from safetensors.torch import load_file

    crash_at(bench, 9, long_section())
    folder = max((work_of(bench) / "checkpoints").glob("step-*"))
    assert {path.suffix for path in folder.iterdir()} == {".safetensors", ".json"}
    assert all("lora_" in name for name in load_file(folder / "weights.safetensors"))


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES])
@pytest.mark.parametrize("call", ["fsync", "save_file"])
def test_a_disk_that_cannot_take_a_checkpoint_costs_only_that_one(
    tmp_path: Path, new_bench: Maker, whole: Trained, monkeypatch: pytest.MonkeyPatch, number: int, call: str
) -> None:
    section = long_section()
    bench = new_bench(tmp_path / "full")
    real_sync, real_save = os.fsync, saving.save_file

    def broken(*values: Any) -> None:
        raise OSError(number, os.strerror(number))

    def break_disk() -> None:
        if call == "fsync":
            monkeypatch.setattr(os, "fsync", broken)
        else:
            from safetensors import SafetensorError

            def torn(*values: Any) -> None:
                raise SafetensorError(f"I/O error: {os.strerror(number)} (os error {number})")

            monkeypatch.setattr(saving, "save_file", torn)

    with pytest.raises(StoreError, match="cannot write") as error:
        bench.train(section, progress=At(7, break_disk))
    wanted = "free some space" if number == errno.ENOSPC else "write permission"
    assert wanted in error.value.problems[0].fix
    monkeypatch.setattr(os, "fsync", real_sync)
    monkeypatch.setattr(saving, "save_file", real_save)
    left = sorted(path.name for path in (work_of(bench) / "checkpoints").iterdir())
    assert left[-1] == "step-00000006", "the checkpoint before stays, and no half one is left"
    run, model = bench.train(section)
    assert weights(model) == weights(whole[1])
    assert lasting(run) == lasting(whole[0])


def test_a_real_limit_on_file_size_gives_one_clear_message(bench: Bench) -> None:
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    section = long_section()

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))

    try:
        with pytest.raises(StoreError, match="cannot write") as error:
            bench.train(section, progress=At(7, limit))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "free some space" in error.value.problems[0].fix
    progress = Heard()
    bench.train(section, progress=progress)
    assert "going on after step 6 of 20" in progress.notes


def test_a_second_process_cannot_enter_the_same_work(bench: Bench) -> None:
    def second() -> None:
        with pytest.raises(StoreError, match="another process"):
            bench.train(section_of())
        crash()

    with pytest.raises(Crash):
        bench.train(section_of(), progress=At(2, second))


def test_a_kill_between_the_two_seals_makes_no_second_run(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = training.save_model
    monkeypatch.setattr(training, "save_model", lambda *given: crash())
    with pytest.raises(Crash):
        bench.train()
    monkeypatch.setattr(training, "save_model", plain)
    run, model = bench.train()
    assert [manifest.id for manifest in bench.store.artifacts(Run)] == [run.id]
    assert model.parents["run"] == run.id
