"""The comparison of several models, and the command line: one page, well formed, that says what the figures say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.evaluation.conftest import make_model
from tests.evaluation.test_page import read

from tuneloop.cli import execute
from tuneloop.evaluation import comparison, strips
from tuneloop.evaluation.evaluate import evaluate
from tuneloop.evaluation.section import EvaluateSection
from tuneloop.store import Model, Report


@pytest.fixture
def other(life: Any, tiny_model: Path) -> Model:
    return make_model(life.store, tiny_model, {"dataset": life.dataset.id, "run": life.run.id}, adapter="freeze")


@pytest.fixture
def reports(life: Any, other: Model) -> dict[str, Report]:
    section = EvaluateSection(max_new_tokens=8, baseline=False)
    asked = {"dataset": life.dataset, "task": life.task, "store": life.store, "seed": 7}
    return {
        "first <b>": evaluate(section, model=life.model, **asked),
        "二号": evaluate(section, model=other, **asked),
    }


def test_the_page_says_what_the_reports_say_and_needs_nothing_from_outside(
    life: Any, reports: dict[str, Report]
) -> None:
    told, html = comparison.compare(reports, store=life.store, seed=7, name="tiny")
    reader = read(html)
    assert not {tag for tag, _ in reader.tags} & {"script", "link", "img", "iframe", "a", "form"}
    assert "<script>" not in html and "first <b>" in reader.text and "二号" in reader.text
    for name, report in reports.items():
        assert told["scores"][name] == report.scores["tuned"]
        assert report.parents["model"] in reader.text
    figures = [each["figure"] for each in told["compared"]]
    assert figures == ["exact_match", "token_f1", "rouge_l", "chrf", "loss"]
    assert all((each["first"], each["second"]) == tuple(reports) for each in told["compared"])
    assert json.loads(json.dumps(told)) == told
    for row in told["samples"]:
        answers = [answer["text"].strip() for answer in row["answers"].values()]
        assert len(set(answers)) == 2 and row["origin"] in reader.text
    spread = [abs(a["score"] - b["score"]) for a, b in (row["answers"].values() for row in told["samples"])]
    assert spread == sorted(spread, reverse=True)
    assert told["recipe"] == [] and "Their recipes are the same" in reader.text


def test_only_what_differs_of_two_recipes_is_told() -> None:
    one = {"train": {"seed": 1, "batch": {"size": 8}}, "evaluate": {"limit": 3}, "tags": []}
    two = {"train": {"seed": 1, "batch": {"size": 16}}, "evaluate": {"limit": 4}, "tags": []}
    found = comparison._changes({"a": one, "b": two})
    assert found == [{"path": "train.batch.size", "values": {"a": 8, "b": 16}}]


def test_a_strip_holds_every_model_inside_its_frame() -> None:
    from xml.etree import ElementTree

    scores = [{"mean": 0.5, "low": 0.4, "high": 0.6}, None, {"mean": 3.0, "low": 2.0, "high": 4.0}, {"mean": 1.0}]
    root = ElementTree.fromstring(strips.draw(scores, 'a "figure" <x>'))
    assert [text.text for text in root.iter("text")] == ["A", "B", "C", "D"]
    assert all(0 <= float(circle.attrib["cx"]) <= strips.WIDTH for circle in root.iter("circle"))
    assert len(list(root.iter("circle"))) == 2
    assert strips.draw([{"mean": 1.0}], "x") == ""


@pytest.fixture
def recipe(life: Any, tiny_model: Path, tmp_path: Path) -> Path:
    (tmp_path / "stay.jsonl").write_text(
        '{"messages": [{"role": "user", "content": "what is 1 plus 1"}, {"role": "assistant", "content": "it is 2"}]}\n'
    )
    path = tmp_path / "tiny.yaml"
    body = {
        "name": "tiny",
        "data": {"sources": ["stay.jsonl"]},
        "model": {"base": str(tiny_model)},
        "evaluate": {"max_new_tokens": 4, "regression": "stay.jsonl", "gates": [{"metric": "loss", "at_most": 50}]},
    }
    path.write_text(yaml.safe_dump(body))
    return path


def test_a_closed_gate_ends_the_command_with_status_3(
    life: Any, recipe: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["evaluate", str(recipe), "--model", life.model.id, "--store", str(life.store.root)]
    assert execute([*words, "--gate"]) == 0
    assert "passed" in capsys.readouterr().out
    closed = ["--set", "evaluate.gates=[{metric: regression, at_least: 0.99}, {metric: loss, at_most: 50}]"]
    assert execute([*words, "--gate", *closed]) == 3
    assert "failed" in capsys.readouterr().out
    assert execute([*words, *closed]) == 0, "without --gate a closed gate is only told"
    capsys.readouterr()
    assert execute([*words, "--gate", "--json", *closed]) == 3
    told = json.loads(capsys.readouterr().out)
    assert [one["outcome"] for one in told["gates"]] == ["failed", "passed"] and told["passed"] is False
    assert execute([*words, "--gate", "--set", "evaluate.gates=[]"]) == 2
    assert execute([*words, "--gate", "--set", "evaluate.gates=[{metric: bleu, at_least: 1}]"]) == 2


def test_several_models_are_compared_from_the_command_line(
    life: Any, other: Model, recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--recipe", str(recipe), "--store", str(life.store.root), "--page", str(tmp_path / "page.html")]
    assert execute(["compare", life.model.id, other.id, *words, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [model["id"] for model in told["models"]] == [life.model.id, other.id]
    assert life.model.id in (tmp_path / "page.html").read_text(encoding="utf-8")
    assert execute(["compare", life.model.id, life.model.id, *words]) == 2
    assert "is one model" in capsys.readouterr().err


def test_the_champion_is_compared_with_and_once_it_is_the_model_itself_the_one_before(
    life: Any, other: Model, recipe: Path
) -> None:
    import tuneloop
    from tuneloop.life.measuring import given
    from tuneloop.monitoring.progress import Silent

    read_ = tuneloop.load(recipe, ['evaluate.regression=""'])

    def against(model: Model) -> dict[str, str]:
        found = given(read_, life.store, model, life.dataset, Silent()).against
        return {name: report.parents["model"] for name, report in found.items()}

    assert against(life.model) == {}
    life.store.refs.move("tiny/champion", other.id, why="first")
    assert against(life.model) == {"champion": other.id}
    assert against(other) == {}
    life.store.refs.move("tiny/champion", life.model.id, why="better")
    assert against(life.model) == {"champion": other.id}
