"""New: the recipe that it writes can run, whatever the rows are, and no file of a folder stands in its way."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tuneloop.recipe import load

Runs = Callable[..., Any]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_columns_that_are_not_recognised_are_named_on_the_command_line(tmp_path: Path, run: Runs) -> None:
    (tmp_path / "qa.csv").write_text("Demande,Reponse\nWo?,Hier.\nWann?,Jetzt.\n")
    said = run("new", "qa.csv")
    assert said.status == 2
    assert "--columns" in said.err
    said = run("new", "qa.csv", "--columns", "question=Demande", "--columns", "answer=Reponse")
    assert said.status == 0, said.err
    recipe = load("qa.yaml")
    assert recipe.data.sources[0].columns == {"question": "Demande", "answer": "Reponse"}
    assert recipe.task.name == "sft"
    assert run("new", "qa.csv", "--force", "--columns", "question").status == 2


def table(folder: Path) -> None:
    rows = "".join(f"{n},{'card' if n % 2 else 'cash'},{n * 7}\n" for n in range(60))
    (folder / "sales.csv").write_text("item,paid,price\n" + rows)


@pytest.mark.parametrize(
    ("words", "task", "kind"), [(("--label", "paid"), "text_classification", "labeled"), ((), "pretrain", "text")]
)
def test_the_recipe_of_a_table_prepares_rows_that_its_task_learns_from(
    tmp_path: Path, run: Runs, words: tuple[str, ...], task: str, kind: str
) -> None:
    table(tmp_path)
    said = run("new", "sales.csv", *words)
    assert said.status == 0, said.err
    assert ("--label COLUMN" in said.out) == (not words)
    assert load("sales.yaml").task.name == task
    said = run("prepare", "sales.yaml", "--json")
    assert said.status == 0, said.err
    assert f'"{kind}": 60' in said.out


def test_a_label_that_no_column_has_is_told_with_the_nearest(tmp_path: Path, run: Runs) -> None:
    table(tmp_path)
    said = run("new", "sales.csv", "--label", "payed")
    assert said.status == 2
    assert "'paid'" in said.err
    assert not (tmp_path / "sales.yaml").exists()


def test_of_rows_of_several_kinds_the_task_follows_the_kind_that_is_named(tmp_path: Path, run: Runs) -> None:
    table(tmp_path)
    (tmp_path / "chats.jsonl").write_text('{"question": "When?", "answer": "At nine."}\n' * 9)
    (tmp_path / "data").mkdir()
    for name in ("sales.csv", "chats.jsonl"):
        (tmp_path / name).rename(tmp_path / "data" / name)
    said = run("new", "data")
    assert "the recipe learns from the chat rows" in said.out
    assert load("data.yaml").task.name == "sft"


def test_files_of_a_folder_without_rows_are_passed_over_and_named(tmp_path: Path, run: Runs) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "a.jsonl").write_text("")
    (folder / "b.csv").write_text("question,answer\n")
    (folder / "c.jsonl").write_text('{"question": "When?", "answer": "At nine."}\n')
    said = run("new", "data")
    assert said.status == 0, said.err
    assert "data/a.jsonl was passed over: the file has no rows" in said.out
    (folder / "c.jsonl").unlink()
    assert run("new", "data", "--force").status == 2
