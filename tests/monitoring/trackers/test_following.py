"""The follower: another process that passes figures on, whatever becomes of the run or of the tracker."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tuneloop.monitoring.following import Sender, Tail, following
from tuneloop.monitoring.recorder import Recorder
from tuneloop.monitoring.trackers import About, Journal, Tracker, flat
from tuneloop.monitoring.trackers.tensorboard import TensorBoard
from tuneloop.rows import Signal


class Moody(Tracker):
    """Fails as often as it is told to."""

    failures: int = 0

    def open(self, about: About) -> Journal:
        return _Moody(self)


class _Moody:
    got: list[Signal] = []  # noqa: RUF012 - shared on purpose
    tries = 0

    def __init__(self, tracker: Moody) -> None:
        self.tracker = tracker

    def log(self, signals: Sequence[Signal]) -> int:
        _Moody.tries += 1
        if _Moody.tries <= self.tracker.failures:
            raise ConnectionError("refused")
        _Moody.got += signals
        return len(signals)

    def finish(self, files: Mapping[str, Path], tags: Mapping[str, str]) -> None: ...

    def close(self) -> None: ...


@pytest.fixture
def about(tmp_path: Path) -> About:
    return About("faq", "key", str(tmp_path), {"name": "faq"})


def test_a_tracker_that_is_down_is_left_alone_for_a_while_and_then_gets_everything(
    about: About, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    _Moody.got, _Moody.tries = [], 0
    sender = Sender(Moody(failures=3), about)
    for step in range(100):
        sender.left.append(Signal(step, "train/loss", 1.0, 0.0))
        sender.send()
        now[0] += 1.0
    sender.send(now=True)
    assert [signal.step for signal in _Moody.got] == list(range(100))
    assert _Moody.tries < 100 and sender.said == ""


def test_only_whole_lines_are_read_and_each_of_them_once(tmp_path: Path) -> None:
    path = tmp_path / "signals.jsonl"
    tail = Tail(path)
    assert tail.new() == []
    line = b'{"step":1,"name":"train/loss","value":2.5,"time":0.0}\n'
    path.write_bytes(line + line[:10])
    assert [signal.value for signal in tail.new()] == [2.5]
    with path.open("ab") as file:
        file.write(line[10:] + line)
    assert len(tail.new()) == 2
    assert tail.new() == []


def test_another_process_writes_what_a_run_records_and_ends_with_it(tmp_path: Path, about: About) -> None:
    events = tmp_path / "events"
    work = tmp_path / "work"
    work.mkdir()
    with (
        Recorder(work / "signals.jsonl") as recorder,
        following([TensorBoard(folder=str(events))], about, work),
    ):
        for step in range(1, 21):
            recorder.write(step, {"train/loss": 1.0 / step})
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    deadline = time.monotonic() + 60
    steps: list[int] = []
    while time.monotonic() < deadline and len(steps) < 20:
        time.sleep(0.2)
        found = accumulator.EventAccumulator(str(events / "faq" / "key"))
        if events.exists():
            found.Reload()
            steps = [each.step for each in found.Scalars("train/loss")] if found.Tags()["scalars"] else []
    assert steps == list(range(1, 21)), (work / "trackers.log").read_text()


def test_without_trackers_nothing_is_started_or_written(tmp_path: Path, about: About) -> None:
    with following([], about, tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


def test_options_become_text_that_reads_back() -> None:
    recipe: dict[str, Any] = {"a": {"b": [1, 2], "c": None, "d": {}}, "e": "text", "f": 2e-4}
    told = flat(recipe)
    assert told["e"] == "text"
    assert {key: json.loads(value) for key, value in told.items() if key != "e"} == {
        "a.b": [1, 2], "a.c": None, "a.d": {}, "f": 2e-4
    }  # fmt: skip
