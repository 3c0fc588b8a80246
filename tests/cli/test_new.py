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


def test_rows_in_the_place_of_a_recipe_are_told_apart_from_one(tmp_path: Path, run: Runs) -> None:
    (tmp_path / "chats.jsonl").write_text('{"question": "When?", "answer": "At nine."}\n')
    said = run("prepare", "chats.jsonl")
    assert said.status == 2
    assert "tuneloop new chats.jsonl" in said.err
    assert "1 of 1 row looked at" in run("new", "chats.jsonl").out


def test_a_workbook_and_a_binary_file_are_told_plainly(tmp_path: Path, run: Runs) -> None:
    (tmp_path / "rows.xlsx").write_bytes(b"PK\x03\x04")
    (tmp_path / "rows.csv").write_bytes(b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(range(256)))
    assert "save it as CSV (or Parquet)" in run("new", "rows.xlsx").err
    assert "the file is no text, or in an encoding that is not known" in run("new", "rows.csv").err


def test_check_tells_all_that_is_not_there_at_once_and_ends_with_the_verdict(tmp_path: Path, run: Runs) -> None:
    steps = "[{banned: {lists: [no.txt]}}, {decontaminate: {against: [gone.jsonl]}}, {toxicity: {model: judge}}]"
    recipe = f"data: {{sources: [lost.jsonl], transforms: {steps}}}\nmodel: {{base: embedded}}\n"
    (tmp_path / "r.yaml").write_text(recipe)
    said = run("check", "r.yaml")
    assert said.status == 2
    assert all(name in said.err for name in ("4 problems", "no.txt", "gone.jsonl", "judge", "lost.jsonl"))
    (tmp_path / "r.yaml").write_text("data: {sources: [r.yaml]}\nmodel: {base: embedded}\n")
    assert "is sound" in run("check", "r.yaml").out.splitlines()[-1]


def test_a_part_or_option_that_is_asked_for_by_half_its_path_is_explained_with_its_path(run: Runs) -> None:
    assert "data.transforms.redact" in run("explain", "redact").err
    assert "did you mean `by`?" in run("explain", "data.split.bz").err
