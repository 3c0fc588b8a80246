"""The commands that look: runs, show, lineage, gc, check, explain, new, promote, rollback, doctor."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tuneloop.cli import _machine
from tuneloop.recipe import load
from tuneloop.store import Store

Runs = Callable[..., Any]
GOOD = "data: {sources: [rows.jsonl]}\nmodel: {base: embedded}\n"


def test_runs_lists_every_artifact_with_its_refs(store: Store, run: Runs) -> None:
    lines = run("runs", "--store", store.root).out.splitlines()
    assert lines[0].split() == ["id", "made", "refs", "facts"]
    assert [line.partition("-")[0] for line in lines[1:]] == ["dataset", "run", "model", "release", "release"]
    assert "faq/run" in lines[2]
    assert "train 1  dropped 0" in lines[1]
    assert len({line.index("20") for line in lines[1:]}) == 1, "the columns are aligned"


def test_runs_of_one_kind_as_json(store: Store, run: Runs) -> None:
    found = json.loads(run("runs", "--kind", "run", "--json", "--store", store.root).out)
    assert [(each["kind"], each["refs"]) for each in found] == [("run", ["faq/run"])]


def test_show_tells_of_one_artifact_by_ref_or_beginning_of_its_id(store: Store, run: Runs) -> None:
    id = store.resolve("faq/model")
    for name in ("faq/model", id, id[:12]):
        out = run("show", name, "--store", store.root).out
        assert out.startswith(id)
        assert f"from run      {store.resolve('faq/run')}" in out
    assert json.loads(run("show", "faq/model", "--json", "--store", store.root).out)["facts"] == {"form": "adapter"}


def test_show_lists_refs_and_their_log(store: Store, run: Runs) -> None:
    assert "faq/champion" in run("show", "--store", store.root).out
    moves = json.loads(run("show", "champion", "--log", "--json", "--store", store.root).out)
    assert [move["why"] for move in moves] == ["number 1", "number 2"]
    assert "number 2" in run("show", "faq/champion", "--log", "--store", store.root).out


def test_show_verify_finds_a_changed_file(store: Store, run: Runs) -> None:
    assert run("show", "faq/model", "--verify", "--store", store.root).status == 0
    path = store.root / "artifacts" / store.resolve("faq/model") / "model.json"
    path.write_text("[]")
    said = run("show", "faq/model", "--verify", "--store", store.root)
    assert said.status == 2
    assert "model.json has changed" in said.err


def test_lineage_goes_from_a_release_to_the_rows(store: Store, run: Runs) -> None:
    out = run("lineage", "faq/champion", "--store", store.root).out
    order = [out.index(kind) for kind in ("release-", "  model-", "    dataset-", "    run-", "faq.jsonl")]
    assert order == sorted(order)
    down = run("lineage", "faq/dataset", "--down", "--store", store.root).out
    assert "release-" in down.partition("made from it")[2]
    assert json.loads(run("lineage", "faq/champion", "--json", "--store", store.root).out)["sources"][0]["rows"] == 1


def test_promote_and_rollback_move_the_champion(store: Store, run: Runs) -> None:
    first, second = [each.id for each in store.artifacts() if each.kind == "release"]
    assert run("rollback", "faq", "--why", "worse answers", "--store", store.root).status == 0
    assert store.resolve("faq/champion") == first
    out = run("promote", "faq", second, "--store", store.root).out
    assert out.startswith(f"faq/champion -> {second}\nbefore: {first}\n")
    assert "that before" in run("promote", "faq", second, "--store", store.root).out


def test_gc_says_what_it_would_remove_and_removes_it(store: Store, run: Runs) -> None:
    with store.draft() as folder:
        (folder / "release.json").write_text("[3]")
        from tuneloop.store import Release

        lost = store.seal(Release, folder, parents={}, key="3", facts={})
    assert f"would remove {lost.id}" in run("gc", "--dry", "--store", store.root).out
    assert "1 of 6 artifacts" in run("gc", "--store", store.root).out
    assert lost.id not in [each.id for each in store.artifacts()]


def test_check_misses_rows_that_are_not_there(tmp_path: Path, run: Runs) -> None:
    (tmp_path / "good.yaml").write_text(GOOD)
    said = run("check", tmp_path / "good.yaml")
    assert said.status == 2
    assert "there are no rows at rows.jsonl" in said.err
    assert "data.sources.0.path" in said.err


def test_check_prints_a_recipe_that_loads_back(tmp_path: Path, run: Runs) -> None:
    (tmp_path / "good.yaml").write_text(GOOD)
    (tmp_path / "rows.jsonl").write_text("{}")
    said = run("check", tmp_path / "good.yaml", "--set", "train.adapter.lora.r=3")
    (tmp_path / "again.yaml").write_text(said.out)
    assert load(tmp_path / "again.yaml").spelled()["train"]["adapter"]["lora"]["r"] == 3
    assert json.loads(run("check", tmp_path / "good.yaml", "--json").out)["seed"] == 42


def test_explain_prints_help_default_and_other_names(run: Runs) -> None:
    out = run("explain", "train.adapter.lora.r").out
    assert "default  8" in out
    assert "lora_rank" in out
    assert "lora" in run("explain", "train.adapter").out
    assert json.loads(run("explain", "--schema").out)["type"] == "object"
    assert run("explain", "train.nonsense").status == 2


def test_new_writes_a_recipe_once(tmp_path: Path, run: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "faq.jsonl").write_text('{"question": "When?", "answer": "At nine."}\n')
    said = run("new", "faq.jsonl", "--base", "org/model")
    assert said.status == 0
    assert "faq.jsonl: prompt_completion (1 of 1 row looked at fit)" in said.out
    assert load(tmp_path / "faq.yaml").model.base == "org/model"
    assert run("new", "faq.jsonl").status == 2
    assert run("new", "faq.jsonl", "--force").status == 0
    said = run("new", "fag.jsonl")
    assert said.status == 2
    assert "there are no rows here" in said.err


TINY = Path(__file__).parents[2] / "recipes" / "tiny"


@pytest.mark.parametrize(
    ("row", "task", "metrics"),
    [
        ('{"prompt": "Why?", "chosen": "So.", "rejected": "No."}', "preference", ["token_f1", "rouge_l", "chrf"]),
        ('{"text": "Where is my card?", "label": "card"}', "text_classification", ["accuracy"]),
        ('{"text": "To be or not to be."}', "pretrain", []),
        ('{"question": "When?", "answer": "At nine."}', "sft", ["exact_match", "token_f1", "rouge_l", "chrf"]),
    ],
)
def test_new_names_the_task_that_the_rows_are_for(
    tmp_path: Path, run: Runs, monkeypatch: pytest.MonkeyPatch, row: str, task: str, metrics: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.jsonl").write_text(f"{row}\n")
    assert run("new", "rows.jsonl").status == 0
    recipe = load(tmp_path / "rows.yaml")
    assert (recipe.task.name, [metric.name for metric in recipe.evaluate.metrics]) == (task, metrics)


@pytest.mark.slow
def test_the_recipe_of_new_for_preferences_runs_as_it_is(
    tmp_path: Path, run: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("new", TINY / "brevity.jsonl").status == 0
    said = run("train", "brevity.yaml", "--set", "train.max_steps=2", "--set", "model.base=embedded")
    assert said.status == 0, said.err
    said = run("train", "brevity.yaml", "--set", "task=sft")
    assert said.status == 2
    assert "write task: preference" in said.err


def test_doctor_finds_this_machine_in_order(tmp_path: Path, run: Runs) -> None:
    found = {each["name"]: each for each in json.loads(run("doctor", "--json", "--store", tmp_path / "store").out)}
    assert found["python"]["found"].startswith(".".join(map(str, sys.version_info[:3])))
    assert found["torch"]["verdict"] in ("good", "note")
    assert not (tmp_path / "store").exists(), "looking writes nothing"
    assert "memory" in run("doctor").out


def test_doctor_says_how_to_mend_a_store_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    looked = _machine._disk(Path("/proc/self/fdinfo"))
    assert (looked.verdict, "--store FOLDER" in looked.mend) == ("bad", True)


def test_doctor_says_how_to_mend_an_old_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_machine.metadata, "requires", lambda _: ["torch>=99", "nosuchpackage>=1", "click>=8"])
    looked = {each.name: each for each in _machine._packages()}
    assert looked["torch"].verdict == "bad"
    assert looked["torch"].mend == "pip install 'torch>=99'"
    assert looked["nosuchpackage"].found == "not installed"
    assert "click" not in looked


def test_doctor_warns_of_spinning_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_WAIT_POLICY", "active")
    assert [each.verdict for each in _machine._cores()][-1] == "slow"
