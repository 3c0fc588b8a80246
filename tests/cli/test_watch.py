"""A run can be watched before, while and after it goes on."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.cli.conftest import RECIPE, signals

from tuneloop.cli._screen import wide
from tuneloop.cli._watched import Watched, find
from tuneloop.monitoring.places import Place, Places
from tuneloop.rows import Finding, Signal, jsonl
from tuneloop.store import Run, Store


def begin(store: Store, steps: int) -> Path:
    """A run in progress in the work folder."""
    folder = store.root / "work" / ("w" * 20)
    folder.mkdir()
    (folder / "recipe.yaml").write_text(RECIPE)
    jsonl.write(folder / "signals.jsonl", signals(steps))
    return folder


def watching(store: Store, folder: Path) -> Watched:
    return Watched(Place(folder.name, folder), Places(store.root))


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
    watched = watching(store, folder)
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
    watched = watching(store, folder)
    watched.look()
    jsonl.write(folder / "signals.jsonl", signals(15))
    assert watched.look()
    assert watched.step == 15


def test_a_run_that_is_sealed_meanwhile_is_watched_to_its_end(store: Store) -> None:
    folder = begin(store, 20)
    watched = watching(store, folder)
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


def test_a_path_is_watched_wherever_it_lies(store: Store, run: Callable[..., Any], tmp_path: Path) -> None:
    begin(store, 25)
    folder = (store.root / "work" / ("w" * 20)).rename(tmp_path / "from-another-machine")
    out = run("watch", folder, "--once", "--store", tmp_path / "no-store").out
    assert "stopped after step 25 of 100 (25%)" in out
    assert "train/loss" in out


def test_a_run_in_progress_is_found_by_its_recipes_name_and_by_its_folder(store: Store) -> None:
    begin(store, 25)
    for name in ("faq", "wwww"):
        watched = find(store.root, name)
        assert watched is not None and not watched.finished


def test_findings_come_with_their_change_and_rows_and_the_newest_answers(store: Store) -> None:
    folder = begin(store, 25)
    rows = tuple(f"faq.jsonl:{line}" for line in range(5))
    found = Finding("label_noise", "warning", 1, 25, "labels differ", "look at them", "train.max_steps=9", rows)
    jsonl.write(folder / "findings.jsonl", [found])
    answers = [{"step": step, "prompt": "hi\nthere", "answer": f"answer {step} " + "长" * 60} for step in (10, 20)]
    jsonl.write(folder / "samples.jsonl", answers)
    watched = find(store.root, None)
    assert watched is not None
    frame = watched.frame()
    assert "  --set train.max_steps=9" in frame
    assert "  rows: faq.jsonl:0, faq.jsonl:1, faq.jsonl:2 and 2 more" in frame
    assert any("answer 20" in line for line in frame)
    assert not any("answer 10" in line for line in frame)
    assert max(map(wide, frame[2:])) <= 80


def test_several_runs_that_go_on_are_listed(store: Store, run: Callable[..., Any]) -> None:
    for letter in "ab":
        folder = store.root / "work" / (letter * 20)
        folder.mkdir()
        (folder / "recipe.yaml").write_text(RECIPE)
        now = time.time() - 25
        jsonl.write(folder / "signals.jsonl", [Signal(s, "train/loss", 3.0 / s, now + s) for s in range(1, 26)])
    said = run("watch", "bbbb", "--once", "--store", store.root)
    assert "step 25" in said.out
    assert "also going on: aaaaaaaaaaaa  faq: step 25" in said.err


def test_pages_of_no_store_are_refused_with_a_fix(tmp_path: Path, run: Callable[..., Any]) -> None:
    said = run("ui", "--store", tmp_path / "none")
    assert said.status == 2
    assert "there is no store here" in said.err


def test_a_recipe_file_names_its_run(store: Store, run: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text("name: faq\ndata: {sources: [rows.jsonl]}\nmodel: {base: embedded}\n")
    said = run("watch", tmp_path / "other.yaml", "--once", "--store", store.root)
    assert "finished after step 100" in said.out


def test_a_folder_that_is_not_there_is_not_waited_for(store: Store, run: Callable[..., Any], tmp_path: Path) -> None:
    said = run("watch", tmp_path / "nothing", "--store", store.root)
    assert said.status == 2
    assert "there is no such folder" in said.err
