"""Threads are chosen from shapes, kept with a run, and given back to the caller."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import torch
from tests.training.conftest import Bench, Heard, make_bench, section_of

from tuneloop.training import machine, threads
from tuneloop.training.threads import ALONE, own_threads, threads_for


@pytest.fixture(autouse=True)
def two(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_a_small_model_works_with_one(monkeypatch: pytest.MonkeyPatch) -> None:
    assert threads_for(770_000, 1024) == 1
    assert threads_for(135_000_000, 1024) == 2
    assert threads_for(ALONE, 1) == 1
    assert threads_for(ALONE + 1, 1) == 2
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert threads_for(1000, 8) == 2


def test_the_caller_gets_its_threads_back() -> None:
    with own_threads():
        torch.set_num_threads(1)
    assert torch.get_num_threads() == 2


def test_a_run_records_its_threads(bench: Bench) -> None:
    run, _ = bench.train(section_of(max_steps=2))
    assert torch.get_num_threads() == 2
    for name, place in (("environment.json", ()), ("receipts.json", ("memory",))):
        told = msgspec.json.decode((run.folder / name).read_bytes())
        for key in place:
            told = told[key]
        assert told["threads"] == 1, name


def test_a_run_goes_on_with_as_many_as_it_began_with(
    tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.training.test_memory import learner_of

    bench = make_bench(tmp_path / "store", tiny_model)
    monkeypatch.setattr(threads, "ALONE", 0)  # a large model, so to say
    first = machine.settle(learner_of(bench, section_of()), tmp_path)
    assert first.machine is not None
    assert first.machine.threads == 2
    torch.set_num_threads(1)
    heard = Heard()
    from dataclasses import replace

    machine.settle(replace(learner_of(bench, section_of()), progress=heard), tmp_path)
    assert torch.get_num_threads() == 2
    assert any("2 threads" in note for note in heard.notes)
