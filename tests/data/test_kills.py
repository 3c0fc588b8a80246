"""Kills and failing disks: what was prepared is whole or not there, and the next run makes it the same."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tuneloop.data.prepare import prepare
from tuneloop.data.section import DataSection
from tuneloop.data.spill import Spill
from tuneloop.errors import StoreError
from tuneloop.rows import Record, Text
from tuneloop.store import Dataset, Store
from tuneloop.store.gc import sweep

SECTION = {"sources": ["rows.jsonl"], "transforms": ["normalize", "length", "near_duplicates", "normalize"]}
PREPARE = f"""
import sys
from pathlib import Path
from tuneloop.data import parallel
from tuneloop.data.prepare import prepare
from tuneloop.data.section import DataSection
from tuneloop.store import Store
import tuneloop.data.near.pairs, pyarrow.parquet
parallel.ALONE = 0.1
folder = Path(sys.argv[1])
section = DataSection(processes=2, **{SECTION!r})
print("go", flush=True)
prepare(section, Store(folder / "store"), seed=1, folder=folder)
"""


def _rows(folder: Path, count: int) -> None:
    said = random.Random(0)
    rows = [
        {"question": f"what is {i}?", "answer": " ".join(str(said.random()) for _ in range(5))} for i in range(count)
    ]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows + rows[:50]))


def _prepare(folder: Path, store: str) -> Dataset:
    section = DataSection.model_validate(SECTION)
    return prepare(section, Store(folder / store), seed=1, folder=folder)


@pytest.mark.parametrize("kills", [5, pytest.param(40, marks=pytest.mark.slow)])
def test_after_a_kill_at_any_moment_the_same_dataset_comes_out(tmp_path: Path, kills: int) -> None:
    _rows(tmp_path, 1500)
    began = time.monotonic()
    fresh = _prepare(tmp_path, "fresh")
    whole = (time.monotonic() - began) * 1.5
    draw = random.Random(kills)
    left = []
    for _ in range(kills):
        child = subprocess.Popen([sys.executable, "-c", PREPARE, str(tmp_path)], stdout=subprocess.PIPE)
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(draw.random() * whole)
        left += psutil.Process(child.pid).children()
        child.send_signal(signal.SIGKILL)
        child.communicate()
        store = Store(tmp_path / "store")
        for manifest in store.artifacts():
            store.verify(manifest.id)
            assert manifest.id == fresh.id
    assert _prepare(tmp_path, "store").id == fresh.id
    sweep(Store(tmp_path / "store"))
    assert list((tmp_path / "store" / "drafts").iterdir()) == []
    assert psutil.wait_procs(left, timeout=10)[1] == []


def test_a_new_run_clears_what_kills_left_but_not_what_others_write(tmp_path: Path) -> None:
    _rows(tmp_path, 20)
    store = Store(tmp_path / "store")
    dead = tmp_path / "store" / "drafts" / "tmpdead"
    dead.mkdir()
    (dead / "rows.bin").write_bytes(b"rows of somebody")
    with store.draft() as draft:
        (draft / "mine").write_text("still needed")
        _prepare(tmp_path, "store")
        assert (draft / "mine").exists()
        assert list((tmp_path / "store" / "drafts").iterdir()) == [draft]


FULL = Path("/dev/full")


@pytest.mark.skipif(not FULL.exists(), reason="no device that is always full")
def test_a_full_disk_while_spilling_is_said_with_the_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.TemporaryFile", lambda **given: FULL.open("wb", given["buffering"]))
    with pytest.raises(StoreError, match="No space left") as caught, Spill(tmp_path) as spill:
        spill.extend(Record.of(Text("x" * 10**5), origin=f"f:{i}") for i in range(30))
    assert "free some space" in caught.value.problems[0].fix


def test_a_failing_disk_is_said_when_rows_are_taken_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: Spill, index: int) -> Record:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Spill, "_take", broken)
    with pytest.raises(StoreError, match="Input/output error"), Spill(tmp_path) as spill:
        spill.add(Record.of(Text("x"), origin="f:1"))
        list(spill)


def test_rows_come_back_in_any_order_while_more_are_put_down(tmp_path: Path) -> None:
    rows = [Record.of(Text(str(i) * i), origin=f"f:{i}") for i in range(50)]
    with Spill(tmp_path) as spill:
        spill.extend(rows[:30])
        assert [spill[i] for i in (29, 0, 7)] == [rows[29], rows[0], rows[7]]
        spill.extend(rows[30:40])
        taken = iter(spill)
        assert next(taken) == rows[0]
        spill.extend(rows[40:])
        assert [*taken] == rows[1:40]
        assert list(spill) == rows
    assert list(tmp_path.iterdir()) == []
