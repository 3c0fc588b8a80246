"""What the process says and with what status it ends, whatever goes wrong."""

import errno
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tuneloop import life
from tuneloop.errors import TuneloopError
from tuneloop.store import Model, Run, Store

GOOD = "data: {sources: [rows.jsonl]}\nmodel: {base: embedded}\n"


def test_mistakes_are_told_without_a_traceback_and_end_with_2(tmp_path: Path, run: Callable[..., Any]) -> None:
    (tmp_path / "bad.yaml").write_text(GOOD + "sead: 1\ntrain: {batch: {size: 0}}\n")
    said = run("check", tmp_path / "bad.yaml")
    assert said.status == 2
    assert "2 problems" in said.err
    assert "bad.yaml:3 sead" in said.err
    assert "did you mean `seed`?" in said.err
    assert "Traceback" not in said.err
    assert said.out == ""


def test_an_unknown_command_gets_a_hint(run: Callable[..., Any]) -> None:
    said = run("trian")
    assert said.status == 2
    assert "did you mean: tuneloop train" in said.err


def test_an_interruption_says_how_to_go_on_and_ends_with_130(
    tmp_path: Path, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(life, "run", interrupted)
    (tmp_path / "good.yaml").write_text(GOOD)
    said = run("run", tmp_path / "good.yaml", "--store", tmp_path / "store")
    assert said.status == 130
    assert "the same command goes on" in said.err


def test_a_stopped_training_ends_with_its_own_status(
    tmp_path: Path, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stopped(TuneloopError):
        exit_code = 143

    def stopped(*_: object, **__: object) -> None:
        raise Stopped("stopped", where="step 3", fix="run it again")

    monkeypatch.setattr(life, "train", stopped)
    (tmp_path / "good.yaml").write_text(GOOD)
    assert run("train", tmp_path / "good.yaml", "--store", tmp_path / "store").status == 143


def test_a_fault_of_ours_keeps_its_traceback_and_ends_with_1(tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text(GOOD)
    code = (
        "from tuneloop import cli, life\n"
        "def broken(*a, **k): raise ZeroDivisionError('ours')\n"
        "life.run = broken\n"
        f"cli.main(['run', {str(tmp_path / 'good.yaml')!r}, '--store', {str(tmp_path / 'store')!r}])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "ZeroDivisionError: ours" in done.stderr


@pytest.mark.parametrize(
    ("met", "way"),
    [
        (PermissionError(errno.EACCES, "Permission denied", "mb/model.safetensors"), "permission"),
        (OSError(errno.ENOSPC, "No space left on device"), "free some space"),
    ],
)
def test_what_the_machine_refuses_is_no_traceback(
    tmp_path: Path, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, met: OSError, way: str
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise met

    monkeypatch.setattr(life, "run", refused)
    (tmp_path / "good.yaml").write_text(GOOD)
    said = run("run", tmp_path / "good.yaml", "--store", tmp_path / "store")
    assert said.status == 2
    assert met.strerror in said.err
    assert way in said.err


@pytest.mark.parametrize("words", [["new", "rows.jsonl", "-o"], ["demo", "--no-chat", "--json"]])
def test_a_file_that_cannot_be_written_is_told(
    tmp_path: Path, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.jsonl").write_text('{"prompt": "a", "completion": "b"}\n')
    said = run(*words, tmp_path / "none" / "file")
    assert said.status == 2
    assert "make the folder" in said.err
    assert not (tmp_path / ".tuneloop").exists(), "told before the work, not after it"


def test_a_reader_that_goes_away_is_no_traceback(store: Store) -> None:
    code = f"from tuneloop.cli import main; main(['runs', '--json', '--store', {str(store.root)!r}])"
    writer = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert writer.stdout is not None
    writer.stdout.close()
    assert writer.stderr is not None
    assert b"Traceback" not in writer.stderr.read()
    writer.wait()


@pytest.mark.parametrize("words", [["runs"], ["show"], ["gc"], ["lineage", "x"], ["chat"], ["promote", "faq"]])
def test_looking_makes_no_store(tmp_path: Path, run: Callable[..., Any], words: list[str]) -> None:
    said = run(*words, "--store", tmp_path / "none")
    assert said.status == 2
    assert "there is no store here" in said.err
    assert not (tmp_path / "none").exists()


def test_a_bad_option_is_told_in_clicks_way(run: Callable[..., Any]) -> None:
    said = run("runs", "--kind", "cake")
    assert said.status == 2
    assert "dataset" in said.err


def test_the_next_command_speaks_of_the_same_recipe_and_store(
    tmp_path: Path, store: Store, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = store.get(Run, "faq/run"), store.get(Model, "faq/model")
    monkeypatch.setattr(life, "train", lambda *_, **__: made)
    recipe = tmp_path / "good.yaml"
    recipe.write_text(GOOD)
    said = run("train", recipe, "--set", "train.stop={patience: 2}", "--store", store.root)
    assert said.out.rstrip().endswith(
        f"next: tuneloop evaluate {recipe} --set 'train.stop={{patience: 2}}' --store {store.root}"
    )


def test_a_search_without_a_space_ends_before_rows_are_read(tmp_path: Path, run: Callable[..., Any]) -> None:
    (tmp_path / "good.yaml").write_text(GOOD)  # its rows are not there
    said = run("tune", tmp_path / "good.yaml", "--store", tmp_path / "store")
    assert said.status == 2
    assert "there is nothing to vary" in said.err


def test_a_search_does_not_write_over_its_own_recipe(tmp_path: Path, run: Callable[..., Any]) -> None:
    recipe = tmp_path / "good.yaml"
    recipe.write_text(GOOD)
    said = run("tune", recipe, "--save", recipe, "--store", tmp_path / "store")
    assert said.status == 2
    assert "write over its own recipe" in said.err
    assert recipe.read_text() == GOOD


def test_a_picture_that_cannot_be_kept_is_told_before_the_trials(tmp_path: Path, run: Callable[..., Any]) -> None:
    (tmp_path / "good.yaml").write_text(GOOD)
    said = run("find", "rate", tmp_path / "good.yaml", "--picture", tmp_path / "no" / "rate.png")
    assert said.status == 2
    assert "there is no folder" in said.err
