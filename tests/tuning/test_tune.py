"""The search loop: nothing is tried twice, whatever is killed, and what fails is told."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tests.tuning import scores

from tuneloop.errors import RecipeError, StoreError, TrainingError
from tuneloop.monitoring.progress import Silent
from tuneloop.rows import jsonl
from tuneloop.store import Store, Study
from tuneloop.tuning.runners import Score
from tuneloop.tuning.section import TuneSection
from tuneloop.tuning.trials import Event
from tuneloop.tuning.tune import Task, tune

ROOT = Path(__file__).parents[2]


def task(folder: Path, score: Score = scores.scored, seconds: float = 0.0, **section: Any) -> Task:
    given = {"space": {"x": list(range(9))}, "search": "grid", "runner": "inline"} | section
    return Task(
        section=TuneSection.model_validate(given),
        score=score,
        context={"log": str(folder / "log"), "seconds": seconds},
        key="0" * 64,
        parents={},
        store=Store(folder / "store"),
        seed=0,
        progress=Silent(),
    )


def done(folder: Path) -> Counter[str]:
    """How often each order was carried out."""
    path = folder / "log"
    return Counter(path.read_text().splitlines()) if path.exists() else Counter()


def times(folder: Path, trial: int) -> int:
    """How often a trial was carried out."""
    return sum(line.split()[0] == str(trial) for line in done(folder).elements())


def test_a_grid_tries_every_cell_and_the_study_tells_the_best(tmp_path: Path) -> None:
    study = tune(task(tmp_path))
    assert len(done(tmp_path)) == 9
    assert study.summary["best"]["changes"] == ["x=3"]
    assert [trial["score"] for trial in study.summary["trials"]] == sorted(t["score"] for t in study.summary["trials"])
    assert study.summary["importance"] == {}, "nine values of nine trials tell nothing"
    assert {path.name for path in study.folder.glob("*.png")} >= {"history.png", "parallel.png"}


def test_a_study_that_is_done_costs_nothing_and_more_trials_go_on_from_it(tmp_path: Path) -> None:
    first = tune(task(tmp_path, search="random", trials=4))
    again = tune(task(tmp_path, search="random", trials=4))
    assert again.id == first.id and sum(done(tmp_path).values()) == 4
    more = tune(task(tmp_path, search="random", trials=7))
    assert len(more.summary["trials"]) == 7 and set(done(tmp_path).values()) == {1}


def test_asha_goes_on_with_the_best_and_counts_what_it_cost(tmp_path: Path) -> None:
    study = tune(task(tmp_path, search="asha", trials=9))
    assert study.summary["best"]["values"] == {"x": 3}
    assert study.summary["cost"]["epochs"] == pytest.approx(sum(trial["epochs"] for trial in study.summary["trials"]))
    assert study.summary["cost"]["epochs"] < 5
    assert set(done(tmp_path).values()) == {1}


def test_two_processes_share_the_trials_and_one_that_dies_costs_only_its_trial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    study = tune(task(tmp_path, scores.deadly, runner="processes", workers=2))
    failed = {t["values"]["x"]: t["failure"] for t in study.summary["trials"] if t["failure"]}
    assert set(failed) == {0, 2, 4, 5, 6, 8}
    assert "SIGKILL" in failed[0] and "five is right out" in failed[5]
    assert study.summary["best"]["values"] == {"x": 3}


SEARCH = """
import sys
from pathlib import Path
from tests.tuning.test_tune import task
from tuneloop.tuning.tune import tune
tune(task(Path(sys.argv[1]), seconds=0.3, runner=sys.argv[2], workers=int(sys.argv[3])))
"""


@pytest.mark.parametrize(("runner", "workers"), [("inline", 1), ("processes", 2)])
def test_a_search_that_was_killed_goes_on_and_repeats_nothing_that_was_finished(
    tmp_path: Path, runner: str, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    journal = tmp_path / "store" / "work" / ("0" * 20) / "trials.jsonl"
    command = [sys.executable, "-c", SEARCH, str(tmp_path), runner, str(workers)]
    finished: dict[int, int] = {}
    for kill in range(2):
        process = subprocess.Popen(command, cwd=ROOT)
        until = time.monotonic() + 60
        while len(_events(journal, "scored")) < 2 * (kill + 1) and time.monotonic() < until:
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        for event in _events(journal, "scored"):
            finished.setdefault(event.trial, times(tmp_path, event.trial))
    assert 4 <= len(finished) < 9
    study = tune(task(tmp_path, runner=runner, workers=workers))
    assert len(study.summary["trials"]) == 9
    assert {trial: times(tmp_path, trial) for trial in finished} == finished
    proposals = [event.values["x"] for event in jsonl.read(study.folder / "trials.jsonl", Event) if event.values]
    assert proposals == list(range(9)), "each was proposed once"


def _events(path: Path, kind: str) -> list[Event]:
    return [event for event in jsonl.read(path, Event) if event.event == kind]


def test_the_same_search_does_not_go_on_twice_at_once(tmp_path: Path) -> None:
    asked = task(tmp_path)
    with asked.store.work(asked.key), pytest.raises(StoreError, match="another process"):
        tune(asked)


def test_when_every_trial_failed_the_reasons_are_told_and_another_try_is_possible(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"all of 9 trials failed: x 0 does not fit"):
        tune(task(tmp_path, scores.refused))
    assert tune(task(tmp_path)).summary["best"]["values"] == {"x": 3}


def test_a_score_that_is_no_number_is_a_failure(tmp_path: Path) -> None:
    study = tune(task(tmp_path, scores.not_a_number))
    assert sum(bool(trial["failure"]) for trial in study.summary["trials"]) == 4
    json.dumps(study.summary, allow_nan=False)


def test_what_no_trial_can_mend_ends_the_search(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="nothing records `y`"):
        tune(task(tmp_path, scores.hopeless))


def test_an_empty_space_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"tune\.space is empty"):
        tune(task(tmp_path, space={}))


def test_a_direction_is_followed(tmp_path: Path) -> None:
    study = tune(task(tmp_path, direction="maximize"))
    assert study.summary["best"]["values"] == {"x": 8}


def test_chinese_words_stand_in_the_pictures(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    pytest.importorskip("matplotlib")
    from tuneloop.tuning import pictures

    if len(pictures._families()) == 1:
        pytest.skip("there is no font with Chinese letters")
    tune(task(tmp_path, score=_chinese, space={"数据.来源": ["问答", "新闻"], "x": [1, 2, 3]}))
    assert not [str(one.message) for one in recwarn if "Glyph" in str(one.message)]


def _chinese(order: Any) -> Any:
    return scores.scored(order)


@pytest.mark.slow
def test_a_local_ray_trains_trials_as_tasks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    study = tune(task(tmp_path, scores.deadly, runner={"ray": {"address": "local"}}, workers=2, space={"x": [1, 2, 3]}))
    assert study.summary["best"]["values"] == {"x": 3}
    assert [trial["values"]["x"] for trial in study.summary["trials"] if trial["failure"]] == [2]
    assert isinstance(study, Study)
