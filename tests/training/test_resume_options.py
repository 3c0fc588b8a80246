"""Every optimizer and every regularisation goes on from a checkpoint as if nothing had happened."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.training.conftest import Bench, Heard, lasting, section_of, weights
from tests.training.test_resume import crash_at

from tuneloop.training.section import TrainSection

EIGHT = {"adamw_8bit": {"learning_rate": 5e-3, "min_8bit_size": 1}}
EVERYTHING = {"dropout": 0.1, "l1": 0.01, "l2_start": 1.0, "neftune_noise_alpha": 5.0}
CASES: list[tuple[str, dict[str, Any]]] = [
    ("lion", {"optimizer": {"lion": {"learning_rate": 1e-3, "weight_decay": 0.1}}}),
    ("muon", {"optimizer": {"muon": {"learning_rate": 5e-3}}, "adapter": "full"}),
    ("muon beside lora", {"optimizer": {"muon": {"learning_rate": 5e-3}}}),
    ("8 bits", {"optimizer": EIGHT}),
    ("8 bits, all weights", {"optimizer": EIGHT, "adapter": "full"}),
    ("regularisation", {"regularization": EVERYTHING}),
    ("restarts", {"schedule": {"cosine_with_restarts": {"num_cycles": 3, "rewarm_steps": 1}}}),
]


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """The last bits depend on the number of threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def section(changes: dict[str, Any]) -> TrainSection:
    return section_of(max_steps=9, eval_steps=3, checkpoints={"save_steps": 2}, **changes)


@pytest.mark.parametrize(("changes"), [pytest.param(changes, id=name) for name, changes in CASES])
def test_a_crashed_run_goes_on_bit_for_bit(
    tmp_path: Path, new_bench: Callable[[Path], Bench], changes: dict[str, Any]
) -> None:
    if "8bit" in str(changes):
        pytest.importorskip("bitsandbytes")
    expected = new_bench(tmp_path / "expected").train(section(changes))
    bench = new_bench(tmp_path / "cut")
    crash_at(bench, 5, section(changes))
    progress = Heard()
    run, model = bench.train(section(changes), progress=progress)
    assert "going on after step 4 of 9" in progress.notes
    assert weights(model) == weights(expected[1])
    assert lasting(run) == lasting(expected[0])
    told, wanted = (json.loads((each.folder / "receipts.json").read_text()) for each in (run, expected[0]))
    for found in (told, wanted):
        (found["pull"] or {}).pop("steps", None)  # counted since the run went on
    for name in ("weights", "optimizer", "dropout", "pull", "schedule", "clipping", "steps", "tokens"):
        assert told[name] == wanted[name]
