"""The one writer of signals: whole lines, cut back on resume, a clear message when the disk is full."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from tuneloop.errors import StoreError
from tuneloop.monitoring.history import History
from tuneloop.monitoring.recorder import Recorder


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "signals.jsonl"
    with Recorder(path) as recorder:
        recorder.write(1, {"train/loss": 2.5, "train/grad_norm": 1.0})
        recorder.write(2, {"train/loss": 2.25})
    history = History.read(path)
    assert history.series("train/loss") == [(1, 2.5), (2, 2.25)] == recorder.history.series("train/loss")
    assert history.names == ["train/grad_norm", "train/loss"]
    assert history.latest("train/grad_norm") == 1.0
    assert history.latest("never") is None


def test_going_on_cuts_what_came_after_the_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "signals.jsonl"
    with Recorder(path) as recorder:
        recorder.write(1, {"train/loss": 2.5})
        keep = recorder.flush()
        recorder.write(2, {"train/loss": 2.0})
    with path.open("ab") as file:
        file.write(b'{"step":3,"na')
    with Recorder(path, keep=keep) as recorder:
        assert recorder.history.series("train/loss") == [(1, 2.5)]
        recorder.write(2, {"train/loss": 1.9})
    assert History.read(path).series("train/loss") == [(1, 2.5), (2, 1.9)]


def test_a_file_that_lost_its_end_is_not_filled_with_nothing(tmp_path: Path) -> None:
    path = tmp_path / "signals.jsonl"
    with Recorder(path, keep=10_000) as recorder:
        recorder.write(1, {"train/loss": 2.5})
    assert b"\0" not in path.read_bytes()


def test_all_figures_of_a_step_go_out_in_one_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writes: list[bytes] = []
    plain = os.write
    with Recorder(tmp_path / "signals.jsonl") as recorder:
        monkeypatch.setattr(os, "write", lambda file, data: writes.append(data) or plain(file, data))
        recorder.write(1, {"a": 1.0, "b": 2.0, "c": 3.0})
    assert len(writes) == 1


def test_a_full_disk_is_told_with_a_fix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(file: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with Recorder(tmp_path / "signals.jsonl") as recorder:
        for broken in (full, lambda file, data: len(data) // 2):
            monkeypatch.setattr(os, "write", broken)
            with pytest.raises(StoreError, match="cannot write") as error:
                recorder.write(1, {"a": 1.0})
            assert "free some space" in error.value.problems[0].fix


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot write"):
        Recorder(tmp_path / "gone" / "signals.jsonl")
