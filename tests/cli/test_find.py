"""``tuneloop find`` on the embedded model: what it prints, what it writes, what it refuses."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from tuneloop.cli import execute

RECIPES = Path(__file__).parents[2] / "recipes" / "tiny"


@pytest.fixture
def capitals(tmp_path: Path) -> Path:
    for file in RECIPES.glob("capitals.*"):
        shutil.copy(file, tmp_path)
    return tmp_path / "capitals.yaml"


def test_the_rate_that_is_found_is_written_into_a_new_recipe(
    capitals: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from tuneloop.life import load

    store, target = capitals.parent / "store", capitals.parent / "found.yaml"
    picture = capitals.parent / "rate.png"
    words = ["find", "rate", str(capitals), "--store", str(store), "--sweep", "40", "--steps", "3"]
    assert execute([*words, "--set", "seed=8", "--apply", str(target), "--picture", str(picture)]) == 0
    said = capsys.readouterr().out
    read = load(target)
    assert f"--set train.optimizer.adamw.learning_rate={read.train.optimizer.learning_rate:g}" in said
    assert read.seed == 8 and read.train.batch.size == 8
    assert picture.read_bytes()[:4] == b"\x89PNG"
    assert f"tuneloop train {target}" in said


def test_programs_get_json_alone(capitals: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["find", "rank", str(capitals), "--store", str(capitals.parent / "store"), "--json", "--steps", "2"]
    assert execute(words) == 0
    found = json.loads(capsys.readouterr().out)
    assert [each["r"] for each in found["tried"]] == [1, 4, 16, 64][: len(found["tried"])]
    assert set(found) >= {"r", "changes", "why", "separates", "kinds"}


def test_a_file_that_is_there_or_elsewhere_is_not_written(capitals: Path, tmp_path: Path) -> None:
    from tuneloop.errors import RecipeError
    from tuneloop.life.finding import write_changed

    (tmp_path / "other").mkdir()
    for target in (capitals, tmp_path / "other" / "new.yaml"):
        before = target.read_bytes() if target.exists() else b""
        with pytest.raises(RecipeError) as caught:
            write_changed(capitals, ["train.batch.size=4"], target)
        assert "capitals-found.yaml" in caught.value.problems[0].fix
        assert (target.read_bytes() if target.exists() else b"") == before


def test_help_tells_the_three_finders() -> None:
    from tuneloop.cli import commands

    said = CliRunner().invoke(commands, ["find", "--help"]).output
    assert all(name in said for name in ("rate", "batch", "rank"))
