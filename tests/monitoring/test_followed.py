"""A run is followed through whatever happens to its files and to the disk they lie on."""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from pathlib import Path

import pytest

from tuneloop.monitoring import places as places_module
from tuneloop.monitoring.followed import Followed
from tuneloop.monitoring.places import Places, held
from tuneloop.rows import Finding, Signal, jsonl
from tuneloop.store import Run, Store

RECIPE = "name: faq\ntrain: {max_steps: 100}\n"


def signals(first: int, last: int, *, began: float = 0.0, pace: float = 1.0) -> list[Signal]:
    began = began or time.time() - last * pace
    return [Signal(step, "train/loss", 10.0 / step, began + step * pace) for step in range(first, last + 1)]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def begin(store: Store, last: int = 10, key: str = "w" * 20) -> Path:
    folder = store.root / "work" / key
    folder.mkdir()
    (folder / "recipe.yaml").write_text(RECIPE)
    jsonl.write(folder / "signals.jsonl", signals(1, last))
    return folder


def follow(store: Store) -> Followed:
    places = Places(store.root)
    followed = Followed(places.all()[-1], places)
    followed.look()
    return followed


def test_a_run_that_went_on_from_a_checkpoint_and_grew_past_what_was_read_is_read_anew(store: Store) -> None:
    folder = begin(store, 10)
    followed = follow(store)
    jsonl.write(
        folder / "signals.jsonl", [*signals(1, 5), *(Signal(step, "train/loss", 7.0, 0.0) for step in range(6, 30))]
    )
    assert followed.look()
    assert followed.history.values("train/loss")[4:7] == [2.0, 7.0, 7.0]
    assert len(followed.history.series("train/loss")) == 29


def test_a_damaged_line_costs_that_line_alone(store: Store) -> None:
    folder = begin(store, 3)
    with (folder / "signals.jsonl").open("ab") as file:
        file.write(b'\0\0\0\xff{"step":\n')
    jsonl.append(folder / "signals.jsonl", signals(4, 6))
    assert [step for step, _ in follow(store).history.series("train/loss")] == [1, 2, 3, 4, 5, 6]


def test_a_disk_that_goes_away_leaves_what_was_seen_and_is_read_on_when_it_is_back(store: Store) -> None:
    folder = begin(store, 4)
    followed = follow(store)
    shutil.move(store.root, store.root.with_name("gone"))
    assert followed.look()
    assert followed.away
    assert followed.step == 4
    assert not followed.look()
    shutil.move(store.root.with_name("gone"), store.root)
    jsonl.append(folder / "signals.jsonl", signals(5, 6))
    assert followed.look()
    assert not followed.away
    assert followed.step == 6


def test_half_written_files_wait_until_they_are_whole(store: Store) -> None:
    folder = begin(store, 2)
    (folder / "recipe.yaml").write_text("name: [fa")
    (folder / "samples.jsonl").write_bytes(b'{"step":1,"prompt":"hi","answer":"ho"}\n{"step":2,"pro')
    (folder / "rows.json").write_text('{"train": ')
    followed = follow(store)
    assert followed.recipe == {}
    assert [row["answer"] for row in followed.samples()] == ["ho"]
    assert followed.document("rows.json") == {}
    (folder / "recipe.yaml").write_text(RECIPE)
    followed.look()
    assert followed.name == "faq"


def test_a_run_is_running_while_its_lock_is_held_and_stopped_after(store: Store) -> None:
    folder = begin(store)
    jsonl.write(folder / "signals.jsonl", signals(1, 10, began=time.time() - 3600))
    lock = os.open(folder.with_suffix(".lock"), os.O_CREAT | os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_EX)
    followed = follow(store)
    assert followed.state == "running"
    os.close(lock)
    assert followed.state == "stopped"


def test_looking_at_a_lock_does_not_keep_a_training_out(store: Store) -> None:
    with store.work("k" * 20) as folder:
        assert held(folder.with_suffix(".lock"))
    assert held(folder.with_suffix(".lock")) is False
    with store.work("k" * 20):
        pass


def test_on_a_disk_of_another_machine_new_figures_alone_say_that_it_goes_on(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = begin(store)
    monkeypatch.setattr(places_module, "elsewhere", lambda folder: True)
    followed = follow(store)
    assert followed.state == "running"
    jsonl.write(folder / "signals.jsonl", signals(1, 10, began=time.time() - 3600))
    followed.look()
    assert followed.state == "stopped"


def test_a_run_whose_clock_is_wrong_but_that_grows_is_running(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = begin(store)
    jsonl.write(folder / "signals.jsonl", signals(1, 10, began=time.time() - 7200))
    monkeypatch.setattr(places_module, "elsewhere", lambda folder: True)
    followed = follow(store)
    assert followed.state == "stopped"
    jsonl.append(folder / "signals.jsonl", signals(11, 12, began=time.time() - 7200))
    followed.look()
    assert followed.state == "running"


def test_a_stopped_run_with_an_error_among_its_findings_has_failed(store: Store) -> None:
    folder = begin(store)
    jsonl.write(folder / "signals.jsonl", signals(1, 10, began=1000.0))
    jsonl.write(folder / "findings.jsonl", [Finding("not_finite", "error", 9, 9, "the loss is not a number", "")])
    assert follow(store).state == "failed"


def test_a_pause_counts_neither_as_work_nor_for_the_time_left(store: Store) -> None:
    folder = begin(store)
    now = time.time()
    before, after = signals(1, 20, began=now - 90000, pace=2.0), signals(21, 40, began=now - 80, pace=2.0)
    jsonl.write(folder / "signals.jsonl", [*before, *after])
    followed = follow(store)
    assert followed.spent == pytest.approx(38 * 2.0, abs=0.1)
    assert followed.left == pytest.approx(60 * 2.0, abs=0.1)


def test_a_sealed_run_is_followed_into_its_artifact(store: Store) -> None:
    folder = begin(store, 5)
    followed = follow(store)
    version = followed.version
    with store.draft() as draft:
        for path in folder.iterdir():
            shutil.move(path, draft / path.name)
        jsonl.append(draft / "signals.jsonl", signals(6, 8))
        sealed = store.seal(Run, draft, parents={}, key=folder.name + "rest", facts={})
    folder.rmdir()
    assert followed.look()
    assert (followed.state, followed.step, followed.place.id) == ("finished", 8, sealed.id)
    assert followed.version > version


def test_runs_are_found_in_a_store_a_folder_of_runs_and_a_runs_own_folder(store: Store, tmp_path: Path) -> None:
    folder = begin(store)
    (store.root / "artifacts" / "run-half").mkdir()
    (store.root / "artifacts" / "run-half" / "manifest.json").write_text('{"kind": "ru')
    assert [place.id for place in Places(store.root).all()] == [folder.name]
    shutil.copytree(folder, tmp_path / "several" / "one")
    shutil.copytree(folder, tmp_path / "several" / "two")
    assert {place.id for place in Places(tmp_path / "several").all()} == {"one", "two"}
    assert [place.id for place in Places(tmp_path / "several" / "one").all()] == ["one"]
    assert Places(tmp_path / "nothing").all() == []


def test_only_some_figures_are_read_where_only_those_are_wanted(store: Store) -> None:
    folder = begin(store, 3)
    jsonl.append(folder / "signals.jsonl", [Signal(3, "train/grad_norm", 1.0, 0.0)])
    places = Places(store.root)
    followed = Followed(places.all()[0], places, only=["train/loss"])
    followed.look()
    assert followed.history.names == ["train/loss"]


def test_findings_of_a_running_run_are_seen_now_and_no_more_often_than_they_may_cost(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = begin(store)
    followed = follow(store)
    looks = []
    found = [Finding("overfit", "warning", 1, 2, "it rises", "stop")]
    monkeypatch.setattr(Followed, "_seen", lambda self: (looks.append(1) or found, 0.02))
    assert followed.findings() == found
    for step in range(11, 14):
        jsonl.append(folder / "signals.jsonl", signals(step, step))
        followed.look()
        assert followed.findings() == found
    assert len(looks) == 1
    time.sleep(0.25)
    followed.findings()
    assert len(looks) == 2


def test_a_run_without_a_lock_file_says_so(tmp_path: Path) -> None:
    assert held(None) is None
    assert held(tmp_path / "no.lock") is False
