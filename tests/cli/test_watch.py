"""A run can be watched before, while and after it goes on."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.cli.conftest import RECIPE, signals

from tuneloop.cli._watched import Watched, find
from tuneloop.rows import jsonl
from tuneloop.store import Run, Store


def begin(store: Store, steps: int) -> Path:
    """A run in progress in the work folder."""
    folder = store.root / "work" / ("w" * 20)
    folder.mkdir()
    (folder / "recipe.yaml").write_text(RECIPE)
    jsonl.write(folder / "signals.jsonl", signals(steps))
    return folder


def test_a_finished_run_shows_curve_figures_and_findings(store: Store, run: Callable[..., Any]) -> None:
    out = run("watch", "--once", "--store", store.root).out
    assert "finished after step 100, stopped early" in out
    assert "warning: overfit: it rises" in out
    assert "train/loss" in out
    assert sum("│" in line for line in out.splitlines()) == 10
    assert run("watch", "faq", "--once", "--store", store.root).out == out
    assert max(len(line) for line in out.splitlines()) <= 80


def test_a_run_in_progress_goes_before_finished_ones_and_says_what_is_left(store: Store) -> None:
    begin(store, 25)
    watched = find(store.root, None)
    assert watched is not None
    frame = "\n".join(watched.frame())
    assert not watched.finished
    assert "step 25 of 100 (25%)" in frame


def test_new_lines_are_read_on_and_a_torn_one_is_left_for_later(store: Store) -> None:
    folder = begin(store, 10)
    watched = Watched(store, folder)
    assert watched.look()
    assert not watched.look()
    jsonl.append(folder / "signals.jsonl", signals(12)[-2:])
    with (folder / "signals.jsonl").open("ab") as file:
        file.write(b'{"step":13,"na')
    assert watched.look()
    assert watched.step == 12
    with (folder / "signals.jsonl").open("ab") as file:
        file.write(b'me":"train/loss","value":1.0,"time":2.0}\n')
    assert watched.look()
    assert watched.step == 13


def test_a_run_that_goes_on_from_a_checkpoint_takes_back_what_was_shown(store: Store) -> None:
    folder = begin(store, 20)
    watched = Watched(store, folder)
    watched.look()
    jsonl.write(folder / "signals.jsonl", signals(15))
    assert watched.look()
    assert watched.step == 15


def test_a_run_that_is_sealed_meanwhile_is_watched_to_its_end(store: Store) -> None:
    folder = begin(store, 20)
    watched = Watched(store, folder)
    watched.look()
    with store.draft() as draft:
        jsonl.write(draft / "signals.jsonl", signals(30))
        (draft / "recipe.yaml").write_text(RECIPE)
        store.seal(Run, draft, parents={}, key=folder.name + "rest", facts={})
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    watched.look()
    assert watched.finished
    assert watched.step == 30


def test_watching_begins_before_the_run_and_ends_with_it(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "tuneloop", "watch", "--every", "0.05", "--store", str(tmp_path / "store")]
    watching = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert watching.stderr is not None and watching.stdout is not None
    assert "waiting for a run to begin" in watching.stderr.readline()
    store = Store(tmp_path / "store")
    folder = begin(store, 10)
    assert watching.stdout.readline().startswith("step 10 of 100 (10%)  loss 0.300")
    jsonl.append(folder / "signals.jsonl", signals(20)[-4:])
    assert watching.stdout.readline().startswith("step 20 of 100 (20%)")
    with store.draft() as draft:
        for path in folder.iterdir():
            path.replace(draft / path.name)
        (draft / "findings.jsonl").write_text("")
        store.seal(Run, draft, parents={}, key=folder.name, facts={})
    folder.rmdir()
    out, _ = watching.communicate(timeout=60)
    assert watching.returncode == 0
    assert "finished after step 20" in out


def test_nothing_to_watch_is_said(tmp_path: Path, run: Callable[..., Any]) -> None:
    said = run("watch", "--once", "--store", tmp_path / "none")
    assert said.status == 2
    assert "no run has begun here" in said.err
