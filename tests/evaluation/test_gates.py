"""Gates, rows that must stay right, and other models: a second model is measured on the same rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pydantic import ValidationError
from tests.evaluation.conftest import chat, make_model

from tuneloop.errors import DataError
from tuneloop.evaluation.evaluate import evaluate
from tuneloop.evaluation.gates.passing import Passed, passed
from tuneloop.evaluation.gates.section import Gate
from tuneloop.evaluation.given import Given
from tuneloop.evaluation.regression import Kept
from tuneloop.evaluation.section import EvaluateSection
from tuneloop.evaluation.shown import RowLoss
from tuneloop.rows import jsonl
from tuneloop.store import Model, Report
from tuneloop.store.kinds import read_json


def measure(life: Any, model: Model, given: Given | None = None, **options: Any) -> Report:
    section = EvaluateSection.model_validate({"max_new_tokens": 8} | options)
    return evaluate(
        section,
        model=model,
        dataset=life.dataset,
        task=life.task,
        store=life.store,
        seed=7,
        name="tiny",
        given=given,
    )


@pytest.fixture
def other(life: Any, tiny_model: Path) -> Model:
    """Another model: the base with its first layer shaken."""
    return make_model(life.store, tiny_model, {"dataset": life.dataset.id, "run": life.run.id}, adapter="freeze")


def test_another_model_is_laid_beside_row_by_row(life: Any, other: Model) -> None:
    rows = [chat("what is 1 plus 1", "it is 2", 1), chat("what is 2 plus 2", "it is 4", 2)]
    alone = measure(life, other, Given(regression=rows), baseline=False)
    report = measure(life, life.model, Given({"champion": alone}, rows))
    told = read_json(report.folder / "report.json")
    assert list(told["scores"]) == ["base", "tuned", "champion"]
    assert told["scores"]["champion"] == alone.scores["tuned"]
    assert {each["first"] for each in told["compared"]} == {"base", "champion"}
    assert told["against"] == {"champion": other.id}
    losses = list(jsonl.read(report.folder / "losses.jsonl", RowLoss))
    assert all(set(row.loss) == {"base", "tuned", "champion"} for row in losses)
    tuned, terms = (sum(getattr(row, name)["tuned"] for row in losses) for name in ("loss", "terms"))
    assert tuned / terms == pytest.approx(told["scores"]["tuned"]["loss"]["mean"], rel=1e-6)
    assert told["regression"]["rows"] == 2 and told["regression"]["against"] == "champion"
    assert list(report.parents) == ["model", "dataset", "run"], "another model's rows are none of its own lineage"


def test_a_report_without_other_models_is_found_again_whatever_the_gates(life: Any) -> None:
    first = measure(life, life.model)
    assert measure(life, life.model, gates=[{"metric": "loss", "at_most": 3}], against=[]).id == first.id


def sealed(
    life: Any, right: list[float], other: list[float] | None = None, losses: list[float] | None = None, **told: Any
) -> Report:
    """A report as the stage writes it, with scores of our own."""
    from tuneloop.evaluation.answers import Answered

    sides = {"tuned": right} | ({"champion": other} if other else {})
    answers = [
        Answered(
            str(row),
            "x",
            "",
            "",
            "",
            "",
            {side: {"exact_match": each[row]} for side, each in sides.items()},
            {},
            others={"champion": ""} if other else {},
        )
        for row in range(len(right))
    ]
    scores = {side: {"exact_match": {"mean": 0.0, "n": len(right)}} for side in sides}
    with life.store.draft() as folder:
        (folder / "report.json").write_bytes(
            msgspec.json.encode({"metrics": ["exact_match"], "scores": scores, "regression": {}, "judge": {}} | told)
        )
        jsonl.write(folder / "answers.jsonl", answers)
        if losses:
            sums = [RowLoss(str(row), "x", 1, {"tuned": each, "champion": 1.0}, {"tuned": 1, "champion": 1})
                    for row, each in enumerate(losses)]  # fmt: skip
            jsonl.write(folder / "losses.jsonl", sums)
        return life.store.seal(Report, folder, parents={}, key="x", facts={})


def gate(report: Report, **options: Any) -> Passed:
    return passed([Gate.model_validate(options)], report, seed=0)[0]


def test_a_gate_holds_only_where_the_whole_interval_does(life: Any) -> None:
    many, few = sealed(life, [1.0] * 190 + [0.0] * 10), sealed(life, [1.0] * 19 + [0.0])
    assert gate(many, metric="exact_match", at_least=0.9).outcome == "passed"
    assert gate(few, metric="exact_match", at_least=0.9).outcome == "unsure"
    assert gate(few, metric="exact_match", at_least=0.9, confidence=0).outcome == "passed"
    assert gate(few, metric="exact_match", at_least=0.99).outcome == "failed"
    assert gate(few, metric="exact_match", at_most=0.97).outcome == "unsure"
    assert not gate(few, metric="exact_match", at_least=0.9).lets_through
    assert gate(many, metric="exact_match", at_least=0.915, confidence=0.5).outcome == "passed"
    assert gate(many, metric="exact_match", at_least=0.915, confidence=0.99).outcome == "unsure"


def test_no_worse_than_looks_at_the_difference_row_by_row(life: Any) -> None:
    right = [float(row % 5 > 0) for row in range(300)]
    lost = [0.0] * 9 + right[9:]
    same = sealed(life, right, right, [1.0 + row % 3 * 0.001 for row in range(300)])
    worse = sealed(life, lost, right)
    assert gate(same, metric="exact_match", no_worse_than="champion", by=0.02).outcome == "passed"
    assert gate(same, metric="loss", no_worse_than="champion", by=0.002).outcome == "passed"
    assert gate(same, metric="loss", no_worse_than="champion", by=0.0001).outcome == "failed"
    assert gate(worse, metric="exact_match", no_worse_than="champion", by=0.01).outcome == "failed"
    assert gate(worse, metric="exact_match", no_worse_than="champion", by=0.03).outcome == "unsure"


def test_without_a_champion_its_gate_is_open_and_another_name_is_an_error(life: Any) -> None:
    report = sealed(life, [1.0] * 9)
    assert gate(report, metric="exact_match", no_worse_than="champion", by=0.1).lets_through
    with pytest.raises(DataError, match="does not compare with 'other'"):
        gate(report, metric="exact_match", no_worse_than="other", by=0.1)


def test_benchmarks_the_judge_and_rows_that_must_stay_right_have_gates_too(life: Any) -> None:
    report = sealed(
        life,
        [1.0],
        benchmarks={"tuned": [{"task": "mmlu", "metric": "acc", "value": 0.6, "error": 0.02, "n": 100}]},
        regression={"rows": 50, "wrong": ["a:1"], "right": {}},
        judge={"win_rate": {"mean": 0.7, "low": 0.6, "high": 0.8, "n": 50}},
    )
    assert gate(report, metric="mmlu/acc", at_least=0.56).outcome == "passed"
    assert gate(report, metric="mmlu/acc", at_least=0.57).outcome == "unsure"
    assert gate(report, metric="judge", at_least=0.55).outcome == "passed"
    assert gate(report, metric="regression", at_least=1.0, confidence=0).outcome == "failed"
    with pytest.raises(DataError, match="no figure 'bleu'") as caught:
        gate(report, metric="bleu", at_least=0.5)
    assert "mmlu/acc" in caught.value.problems[0].fix


@pytest.mark.parametrize(
    "options",
    [
        {"metric": "loss"},
        {"metric": "loss", "at_least": 1, "at_most": 2},
        {"metric": "loss", "at_most": 2, "by": 0.1},
        {"metric": "loss", "no_worse_than": "champion"},
    ],
)
def test_a_gate_that_asks_for_nothing_or_for_what_cannot_be_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Gate.model_validate(options)


def test_what_broke_and_what_was_mended_is_told(life: Any, other: Model) -> None:
    """The other model's own answers are what must stay right: all of them are, until another model answers."""
    from tuneloop.evaluation import regression

    rows = [chat(f"what is {place}", "it is", place) for place in range(6)]
    before = measure(life, other, Given(regression=rows), baseline=False)
    said = list(jsonl.read(before.folder / "regression.jsonl", Kept))
    assert [row.right for row in said] == [False] * 6
    right = [chat(f"what is {place}", each.answer or "?", place) for place, each in enumerate(said)]
    kept = measure(life, other, Given(regression=right), baseline=False)
    assert read_json(kept.folder / "report.json")["regression"]["wrong"] == [
        row.origin for row, each in zip(right, said, strict=True) if not each.answer.strip()
    ]
    report = measure(life, life.model, Given({"champion": kept}, right))
    told = read_json(report.folder / "report.json")
    now = {row.origin: row for row in jsonl.read(report.folder / "regression.jsonl", Kept)}
    was = {row.origin: row for row in jsonl.read(kept.folder / "regression.jsonl", Kept)}
    assert told["regression"]["broken"] == [origin for origin in now if was[origin].right and not now[origin].right]
    assert told["regression"]["broken"], "two different models answer differently"
    assert any("that must stay right are wrong" in found["evidence"] for found in told["findings"])
    assert regression.against([], Given()) == {}
    back = measure(life, other, Given({"champion": report}, right), baseline=False)
    assert read_json(back.folder / "report.json")["regression"]["fixed"] == told["regression"]["broken"]


def test_rows_that_ask_nothing_cannot_stay_right(life: Any) -> None:
    from tuneloop.rows import Record, Text

    with pytest.raises(DataError, match="none of the 1 rows"):
        measure(life, life.model, Given(regression=[Record.of(Text("only a text"), origin="x:1")]))


def test_what_a_model_is_compared_with_decides_the_report(life: Any, other: Model) -> None:
    alone = measure(life, other, baseline=False)
    with_it = measure(life, life.model, Given({"champion": alone}))
    assert with_it.id != measure(life, life.model).id
    assert json.loads((with_it.folder / "report.json").read_text())["verdict"].count("→") == 1
