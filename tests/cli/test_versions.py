"""The commands for versions: data ls, log, tag, diff, forget, forgotten; push and pull."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tuneloop.store import Store

Runs = Callable[..., Any]


@pytest.fixture
def faq(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A recipe with thirty rows, two of which name a person."""
    monkeypatch.chdir(tmp_path)
    rows = [{"prompt": f"What is number {i}?", "completion": f"It is {i}."} for i in range(30)]
    rows[3]["completion"] = rows[8]["prompt"] = "Ask Marianne Testperson."
    Path("rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    Path("faq.yaml").write_text("name: faq\ndata: {sources: [rows.jsonl]}\nmodel: {base: embedded}\n")
    return tmp_path


def test_versions_are_listed_logged_tagged_and_compared(faq: Path, run: Runs) -> None:
    run("prepare", "faq.yaml")
    run("data", "tag", "faq.yaml", "first", "--why", "audit")
    lines = Path("rows.jsonl").read_text().splitlines()
    Path("rows.jsonl").write_text("\n".join([*lines[1:], json.dumps({"prompt": "new?", "completion": "yes"})]))
    assert run("prepare", "faq.yaml").status == 0
    assert "faq/tags/first" in run("data", "ls").out
    assert len(json.loads(run("data", "ls", "--json").out)) == 2
    first, second = json.loads(run("data", "log", "faq", "--json").out)
    assert (sum(first["rows"].values()), first["tags"], first["change"]) == (30, ["faq/tags/first"], "")
    assert second["change"] == "1 added, 1 removed, other files"
    assert "1 added, 1 removed" in run("data", "log", "faq.yaml").out
    said = run("data", "diff", "faq/tags/first", "faq")
    assert said.status == 1
    assert "renumbered" in said.out.splitlines()[3]
    found = json.loads(run("data", "diff", "faq/tags/first", "faq", "--json").out)
    assert found["rows"] == {"same": 0, "renumbered": 29, "changed": 0, "added": 1, "removed": 1, "moved": 0}
    assert run("data", "diff", "faq", "faq").status == 0
    taken = run("data", "tag", "faq", "first")
    assert taken.status == 2
    assert "--force" in taken.err
    assert run("data", "tag", "faq", "first", "--force").status == 0
    assert "name one of faq" in run("data", "log", "nonsense").err


def test_forgetting_shows_first_then_does_and_then_finds_nothing(faq: Path, run: Runs) -> None:
    run("prepare", "faq.yaml")
    before = Store(".tuneloop").refs.all()
    said = run("data", "forget", "Marianne Testperson")
    assert said.status == 1
    assert "rows.jsonl:4" in said.out
    assert Store(".tuneloop").refs.all() == before
    assert run("data", "forget", "Marianne Testperson", "--purge").status == 2
    done = run("data", "forget", "Marianne Testperson", "--do", "--purge", "--why", "request 17")
    assert done.status == 0
    assert "nothing in the store goes back to it any more" in done.out
    assert run("data", "forget", "marianne testperson").out.startswith("nothing in the store")
    (act,) = json.loads(run("data", "forgotten", "--json").out)
    assert (act["rows"], act["why"], act["present"], act["refs"]) == (2, "request 17", [], {})
    assert "was deleted on" in run("show", before["faq/dataset"]).err
    assert run("prepare", "faq.yaml", "--json").out.count(act["replaced"][before["faq/dataset"]]) >= 1


def test_a_version_that_was_deleted_is_told_as_deleted_here_and_as_not_here_elsewhere(faq: Path, run: Runs) -> None:
    run("prepare", "faq.yaml")
    old = Store(".tuneloop").refs.all()["faq/dataset"]
    run("data", "forget", "Marianne Testperson", "--do", "--purge", "--why", "request 17")
    new = Store(".tuneloop").refs.all()["faq/dataset"]
    first, second = json.loads(run("data", "log", "faq", "--json").out)
    assert first["change"].startswith("deleted 20")
    assert first["change"].endswith(f"replaced by {new}")
    assert second["change"] == "the one before is not there to compare with"
    assert run("push", "share", "faq.yaml").status == 0
    said = run("data", "log", "faq", "--store", "share")
    assert said.status == 0
    assert f"not in this store, replaced by {new}" in " ".join(said.out.split())
    assert "not in this store" in run("data", "diff", old, "faq", "--store", "share").err


def test_a_recipe_in_chinese_lives_under_its_name(faq: Path, run: Runs) -> None:
    assert run("new", "rows.jsonl", "--name", "客服").status == 0
    Path("客服助手.yaml").write_text(Path("faq.yaml").read_text().replace("name: faq\n", "seed: 7\n"), encoding="utf-8")
    assert run("prepare", "客服.yaml").status == 0
    assert run("prepare", "客服助手.yaml").status == 0
    assert {"客服/dataset", "客服助手/dataset"} <= Store(".tuneloop").refs.all().keys()
    assert len(json.loads(run("data", "log", "客服助手", "--json").out)) == 1
    assert run("data", "tag", "客服助手.yaml", "初版").status == 0
    assert "name one of its refs: 客服/dataset" in run("show", "客服").err
    assert "tuneloop run RECIPE" in run("promote", "客服").err
    like = "seed: 7\ndata: {sources: [rows.jsonl], split: {like: 客服}}\nmodel: {base: embedded}\n"
    Path("after.yaml").write_text(like, encoding="utf-8")
    assert run("prepare", "after.yaml").status == 0
    assert run("push", "share", "客服").status == 0


def test_push_and_pull_carry_a_life_to_another_store(store: Store, run: Runs, tmp_path: Path) -> None:
    sent = json.loads(run("push", tmp_path / "share", "--json", "--store", store.root).out)
    assert set(store.refs.all().values()) <= set(sent["copied"])
    assert sent["moved"] == store.refs.all()
    said = run("pull", tmp_path / "share", "champion", "--store", tmp_path / "other")
    assert said.status == 0
    assert "faq/champion -> " in said.out
    assert run("show", "champion", "--verify", "--store", tmp_path / "other").status == 0
    assert "0 pushed" in run("push", tmp_path / "share", "--store", store.root).out
    assert run("pull", tmp_path / "nowhere", "--store", tmp_path / "other").status == 2
