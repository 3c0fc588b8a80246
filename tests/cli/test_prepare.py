"""What ``tuneloop prepare`` says of the rows."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tuneloop import life

WORDS = ("red", "fox", "small", "dog", "went", "over", "many", "green", "hills", "to", "see", "their", "old", "friend")


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """Labelled texts: some with an address, one label rare, and rows that are wrong in nine ways."""
    rows = [{"text": f"{WORDS[i % 14]} {WORDS[i * 3 % 14]} number {i}", "label": "ab"[i % 8 == 0]} for i in range(64)]
    rows[3]["text"] = "write to ann@example.com about it"
    good = [json.dumps(row) for row in rows]
    bad = ['{"text": x}', '{"text": "a" "b"}', "[1]", "7", '"x"', "true", "null", "1.5", '{"text": "a"}', "{}"]
    bad += ['{"text": [1], "label": "a"}', '{"text": {}, "label": "a"}']
    (tmp_path / "rows.jsonl").write_text("\n".join(good + bad) + "\n")
    path = tmp_path / "recipe.yaml"
    path.write_text(
        "data:\n  sources: [rows.jsonl]\n  transforms: [redact]\n  balance: oversample\n"
        "  split: {near: null}\nmodel: {base: embedded}\ntask: text_classification\n"
    )
    return path


def test_every_reason_has_a_place_and_those_left_out_are_counted(recipe: Path, run: Callable[..., Any]) -> None:
    said = run("prepare", recipe, "--store", recipe.parent / "store")
    assert said.status == 0, said.err
    facts = json.loads(run("prepare", recipe, "--store", recipe.parent / "store", "--json").out)["facts"]
    assert f"{facts['dropped']} rows set aside" in said.out
    (line,) = (line for line in said.out.splitlines() if "read: no JSON" in line)
    assert line.split() == ["2", "read:", "no", "JSON", "rows.jsonl:65"]
    listed = [line for line in said.out.splitlines() if "rows.jsonl:" in line]
    assert len(listed) == 8
    (more,) = (line for line in said.out.splitlines() if "more reason" in line)
    assert sum(int(line.split()[0]) for line in listed) + int(more.split("(")[1].split()[0]) == facts["dropped"]


def test_what_the_steps_did_is_told_and_the_sums_add_up(recipe: Path, run: Callable[..., Any]) -> None:
    store = recipe.parent / "store"
    out = run("prepare", recipe, "--store", store).out.splitlines()
    (redact,) = (line for line in out if line.startswith("redact "))
    assert redact.split(maxsplit=1)[1] == "1 rows changed: email 1"
    made = json.loads(run("prepare", recipe, "--store", store, "--json").out)
    facts = made["facts"]
    assert facts["made"] > 0 and facts["read"] + facts["made"] == facts["kept"] + facts["dropped"]
    assert facts["kept"] == sum(facts["rows"].values())
    (balance,) = (line for line in out if line.startswith("oversample "))
    assert f"{facts['made']} made" in balance
    assert any(line.startswith("leaks between splits: none") for line in out)
    assert out[-3] == f"card: {made['folder']}/card.html"
    assert out[-2].startswith("next: tuneloop")
    card = Path(made["folder"], "card.md").read_text()
    assert f"{facts['read']} rows read + {facts['made']} made = {facts['kept']} kept" in card


def test_the_sums_of_made_rows_add_up_in_a_comparison(recipe: Path, run: Callable[..., Any]) -> None:
    store = recipe.parent / "store"
    ids = [
        json.loads(run("prepare", recipe, "--store", store, "--json", *changed).out)["id"]
        for changed in ((), ("--set", "data.balance=null"))
    ]
    said = run("data", "diff", *ids, "--store", store, "--json")
    assert said.status == 1, said.err
    figures = json.loads(said.out)["figures"]
    read, made, kept, aside = (figures[f"rows {what}"] for what in ("read", "made", "kept", "set aside"))
    assert made[0] > 0 and made[1] == 0
    assert [a + b for a, b in zip(read, made, strict=True)] == [a + b for a, b in zip(kept, aside, strict=True)]


def test_the_same_rows_are_found_again(recipe: Path, run: Callable[..., Any]) -> None:
    store = recipe.parent / "store"
    assert "found again" not in run("prepare", recipe, "--store", store).out
    again = run("prepare", recipe, "--store", store).out
    assert "found again: nothing to do" in again and "card: " in again


def test_an_interrupted_preparation_says_that_it_begins_again(
    recipe: Path, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(life, "prepare", interrupted)
    said = run("prepare", recipe, "--store", recipe.parent / "store")
    assert said.status == 130
    assert "from the beginning" in said.err and "goes on from there" not in said.err
    assert said.out == ""
