"""A run that pauses and goes on is the run that never paused, bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.training.conftest import Bench, lasting, section_of, weights

from tuneloop.monitoring.history import History
from tuneloop.training.interrupt import Paused


@pytest.mark.parametrize("schedule", ["cosine", "plateau"])
def test_a_run_that_paused_twice_is_the_run_that_never_did(
    tmp_path: Path, new_bench: Callable[[Path], Bench], schedule: str
) -> None:
    section = section_of(schedule=schedule, eval_steps=4)
    run, model = new_bench(tmp_path / "whole").train(section)
    bench = new_bench(tmp_path / "paused")
    with pytest.raises(Paused) as first:
        bench.train(section, pause=1 / 9)
    with pytest.raises(Paused) as second:
        bench.train(section, pause=0.5)
    assert (first.value.step, second.value.step, second.value.steps) == (2, 7, 14)
    again, tuned = bench.train(section)
    assert weights(tuned) == weights(model)
    measured_at_pauses = {2, 7}
    steps = {entry for entry in lasting(again) if entry[1] == "validation/loss" and entry[0] in measured_at_pauses}
    assert {step for step, _, _ in steps} == measured_at_pauses
    assert [entry for entry in lasting(again) if entry not in steps] == lasting(run)


def test_the_held_out_loss_is_measured_where_it_pauses(bench: Bench) -> None:
    with pytest.raises(Paused) as paused:
        bench.train(section_of(), pause=0.25)
    assert (
        History.read(paused.value.folder / "signals.jsonl").series("validation/loss")[-1][0] == paused.value.step == 4
    )


def test_a_pause_at_the_end_is_no_pause(bench: Bench) -> None:
    run, _ = bench.train(section_of(), pause=1.0)
    assert run.facts["ended"] == "steps"
