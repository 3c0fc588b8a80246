"""``tuneloop diagnose``: own runs and logs of others, in words and as JSON, with a status for scripts."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import yaml

from tuneloop.cli import execute
from tuneloop.rows import Finding, Signal, jsonl


def run(folder: Path, *, healthy: bool) -> Path:
    """A run's folder: it learns, or its rate throws it off."""
    folder.mkdir()
    rows = [Signal(0, "validation/loss", 4.0, 0.0)]
    for step in range(1, 61):
        loss = 1.5 + 2.5 * math.exp(-step / 15)
        rows.append(
            Signal(step, "train/loss", loss if healthy else loss + 12 * math.exp(-(((step - 5) / 4) ** 2)), 0.0)
        )
        rows.append(Signal(step, "train/learning_rate", 0.02, 0.0))
        if step % 20 == 0:
            rows.append(Signal(step, "validation/loss", rows[-2].value, 0.0))
    jsonl.write(folder / "signals.jsonl", rows)
    recipe = {"name": "faq", "train": {"optimizer": {"adamw": {"learning_rate": 0.02}}}}
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    return folder


def test_a_faulty_run_ends_with_status_3_and_a_command_to_paste(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    change = "--set train.optimizer.adamw.learning_rate=0.0006"
    assert execute(["diagnose", str(run(tmp_path / "run", healthy=False))]) == 3
    told = capsys.readouterr().out
    assert "rate_too_high: training loss climbed from" in told
    assert told.rstrip().endswith(f"next: tuneloop train RECIPE {change}")  # its file is called otherwise
    (tmp_path / "faq.yaml").touch()
    execute(["diagnose", "run"])
    assert capsys.readouterr().out.rstrip().endswith(f"next: tuneloop train faq.yaml {change}")


def test_a_recipe_file_names_its_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "work").mkdir()
    run(tmp_path / "work" / ("w" * 20), healthy=False)
    file = tmp_path / "other.yaml"
    file.write_text("name: faq\ndata: {sources: [rows.jsonl]}\nmodel: {base: embedded}\n")
    assert execute(["diagnose", str(file), "--store", str(tmp_path)]) == 3
    assert f"next: tuneloop train {file} --set train.optimizer" in capsys.readouterr().out
    assert execute(["diagnose", str(tmp_path / "none.yaml"), "--store", str(tmp_path)]) == 2
    assert "no such recipe" in capsys.readouterr().err


def test_a_healthy_run_ends_with_status_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = run(tmp_path / "run", healthy=True)
    assert execute(["diagnose", str(folder / "signals.jsonl")]) == 0
    assert "nothing is wrong" in capsys.readouterr().out


def test_programs_get_everything_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["diagnose", str(run(tmp_path / "run", healthy=False)), "--json"]) == 3
    told = json.loads(capsys.readouterr().out)
    assert (told["healthy"], told["steps"]) == (False, 60)
    first = told["findings"][0]
    assert (first["check"], first["change"]) == ("rate_too_high", "train.optimizer.adamw.learning_rate=0.0006")
    assert first["figures"]["peak"] > first["figures"]["start"]


def test_rows_that_broke_a_run_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = run(tmp_path / "run", healthy=True)
    broke = Finding("not_finite", "error", 61, 61, "the loss is nan", "look at these rows", rows=("faq.jsonl:7",))
    jsonl.write(folder / "findings.jsonl", [broke])
    assert execute(["diagnose", str(folder)]) == 3
    assert "rows: faq.jsonl:7" in capsys.readouterr().out


def test_the_log_of_another_tool_is_judged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    entries = [{"step": step, "loss": 2.0, "grad_norm": 0.0, "learning_rate": 1e-4} for step in range(1, 9)]
    (tmp_path / "trainer_state.json").write_text(json.dumps({"log_history": entries}))
    assert execute(["diagnose", str(tmp_path)]) == 3
    assert "dead: the gradient is exactly 0" in capsys.readouterr().out


def test_what_is_no_run_is_a_mistake_of_the_user(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["diagnose", "nothing", "--store", str(tmp_path / "store")]) == 2
    assert "fix:" in capsys.readouterr().err
