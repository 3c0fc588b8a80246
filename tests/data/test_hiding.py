"""Hiding: what a recipe takes out of rows is nowhere else either."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.data.toys import SECRET, Failing, Hiding, Louder, Quoting

from tuneloop.data.hiding import Hider
from tuneloop.data.section import DataSection
from tuneloop.errors import DataError
from tuneloop.store import Dataset, Store

Make = Callable[..., Dataset]

ROWS: list[Any] = [
    {"text": "plain"},
    {
        "text": f"a {SECRET} in the middle of a long text " + "word " * 100 + SECRET,
        "note": f"beside {SECRET}",
        SECRET: 1,
    },
    {"text": f"7 {SECRET}", "number": 7},
    {"text": f"quote me on {SECRET}"},
    {"text": "x" * 237 + SECRET},
    {"role": SECRET},
    {"messages": [{"role": SECRET, "content": "q"}, {"role": "assistant", "content": f"7 {SECRET}"}]},
    {"messages": [{"role": "user", "content": SECRET}, {"role": "assistant", "content": "", "weight": SECRET}]},
    {"text": {"deep": [SECRET]}},
    {"text": f"pictured {SECRET}", "image": SECRET},
    f'{{"text": "{SECRET}", oops',
    f'{{"text": {SECRET}}}',
    f'["{SECRET}"]',
    f'{{"text": "half \\ud83d {SECRET}"}}',
    {"text": f"twice {SECRET}"},
    {"text": f"twice  {SECRET}"},
    {"text": f"line\n{SECRET}"},
]


def everything(folder: Path) -> str:
    """All that can be read in a folder, Parquet and JSON taken apart."""
    told = []
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".parquet":
            told.append(str(pq.read_table(path).to_pylist()))
        elif path.is_file():
            told.append(path.read_bytes().decode("utf-8", "replace"))
            if path.suffix == ".json":
                told.append(str(json.loads(path.read_bytes())))
    return "\n".join(told)


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("before", [[], [Louder(), Quoting(), "duplicates"], ["duplicates", Quoting(), Louder()]])
def test_what_is_taken_out_of_rows_is_nowhere_in_store_notes_and_card(
    make: Make, notes: Any, store: Store, monkeypatch: pytest.MonkeyPatch, before: list[Any], processes: int
) -> None:
    monkeypatch.setattr("tuneloop.data.parallel.ALONE", 0)
    dataset = make(ROWS, transforms=[*before, Hiding(), Quoting()], processes=processes)
    told = everything(store.root) + "\n".join(notes.notes)
    assert SECRET not in told.upper().replace("SECRETS", "")
    assert dataset.report["rows"]["read"] == len(ROWS)
    assert "in the middle of a long text" in told.lower()


def test_what_was_hidden_is_shown_in_its_place(make: Make) -> None:
    step = make(ROWS, transforms=[Hiding()]).report["steps"][0]
    assert step["samples"][0]["before"].startswith("a * in the middle")
    assert step["samples"][0]["after"].startswith("a * in the middle")


def test_a_change_beside_the_content_is_a_change(make: Make) -> None:
    step = make([{"text": "plain", "note": SECRET}], transforms=[Hiding()]).report["steps"][0]
    assert (step["changed"], step["samples"][0]["after"]) == (1, '{"other":{"note":"*"}}')


@pytest.mark.parametrize("processes", [1, 2])
def test_errors_quote_nothing_that_is_hidden(make: Make, monkeypatch: pytest.MonkeyPatch, processes: int) -> None:
    monkeypatch.setattr("tuneloop.data.parallel.ALONE", 0)
    with pytest.raises(DataError) as caught:
        make([{"text": f"fail {SECRET}"}], transforms=[Failing(how="own"), Hiding()], processes=processes)
    assert "a bad row: fail *" in str(caught.value)
    assert SECRET not in str(caught.value)


def test_a_table_without_header_shows_no_hidden_cell(make: Make, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text(f"{SECRET},ann\nbo,cleo\n")
    (tmp_path / "good.jsonl").write_text('{"text": "a"}\n')
    with pytest.raises(DataError) as caught:
        make(sources=[{"path": "rows.csv", "format": "alpaca"}], transforms=[Hiding()])
    assert SECRET not in str(caught.value)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "rows.jsonl").write_text(json.dumps({f"{SECRET}-column": 1}) + "\n")
    (tmp_path / "folder" / "good.jsonl").write_text('{"text": "a"}\n')
    dataset = make(sources=["folder"], transforms=[Hiding()])
    assert "*-column" in str(dataset.report["sources"])
    assert SECRET not in everything(dataset.folder)


def test_numbers_and_keys_are_hidden_too() -> None:
    hider = Hider([Digits()])
    assert hider.excerpt({"call 13800138000": 13800138000, "n": [1, True, None]}) == (
        '{"call *":"*","n":[1,true,null]}'
    )


class Digits(Hiding.__base__):  # type: ignore[name-defined,misc]
    """Hides one number."""

    def hide(self, text: str) -> str:
        return text.replace("13800138000", "*")


def test_files_that_transforms_read_are_part_of_the_key(make: Make, tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("a")
    first = make([{"text": "a"}], transforms=[Reading(files=("words.txt",))])
    assert make([{"text": "a"}], transforms=[Reading(files=("words.txt",))]).id == first.id
    (tmp_path / "words.txt").write_text("b")
    assert make([{"text": "a"}], transforms=[Reading(files=("words.txt",))]).manifest.key != first.manifest.key


def test_all_files_that_are_missing_are_named(make: Make, tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        make([{"text": "a"}], sources=["nothing.jsonl"], transforms=[Reading(files=("one.txt", "two.txt"))])
    assert [problem.where for problem in caught.value.problems][1:] == ["reading: one.txt", "reading: two.txt"]


class Reading(Hiding.__base__):  # type: ignore[name-defined,misc]
    """Reads files."""

    files: tuple[str, ...]

    def one(self, record: Any) -> Any:
        return record

    def reads(self) -> tuple[str, ...]:
        return self.files


def test_a_section_names_no_process_by_default() -> None:
    assert DataSection(sources=["a"]).processes is None  # type: ignore[list-item]


def test_columns_of_tables_are_hidden_in_what_is_shown(make: Make, tmp_path: Path, notes: Any) -> None:
    pq.write_table(pa.table({"text": [f"t {SECRET}"] * 3, "who": [SECRET] * 3}), tmp_path / "rows.parquet")
    make(sources=["rows.parquet"], transforms=["length", Hiding()])
    assert notes.notes[1:3] == ['  {"type":"text","text":"t *"}'] * 2
