"""Benchmarks of lm-evaluation-harness: what it says of a wrapped model is what it says of the merged one on disk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tuneloop.errors import DataError
from tuneloop.evaluation.benchmarks.lm_eval import LmEval
from tuneloop.evaluation.evaluate import evaluate
from tuneloop.evaluation.given import Given
from tuneloop.evaluation.section import EvaluateSection
from tuneloop.models import open_model
from tuneloop.store.kinds import read_json

pytestmark = pytest.mark.slow  # the harness takes long to import

CHOICE = """
task: sums
dataset_path: json
dataset_kwargs: {{data_files: {{test: {data}}}}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{{{question}}}}"
doc_to_choice: "{{{{choices}}}}"
doc_to_target: "{{{{answer}}}}"
metric_list: [{{metric: acc}}, {{metric: acc_norm}}]
"""
WRITTEN = """
task: written
dataset_path: json
dataset_kwargs: {{data_files: {{test: {data}}}}}
test_split: test
output_type: generate_until
doc_to_text: "{{{{question}}}}"
doc_to_target: "{{{{choices[answer]}}}}"
generation_kwargs: {{until: ["\\n"], max_gen_toks: 8, do_sample: false}}
metric_list: [{{metric: exact_match}}]
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    pytest.importorskip("lm_eval")
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", str(tmp_path / "cache"))
    place = tmp_path / "tasks"
    place.mkdir()
    with (place / "sums.jsonl").open("w", encoding="utf-8") as file:
        for one in range(12):
            asked = {"question": f"what is {one} plus {one}", "choices": [f"it is {2 * one}", "no", "两"], "answer": 0}
            file.write(json.dumps(asked, ensure_ascii=False) + "\n")
    for name, text in (("sums", CHOICE), ("written", WRITTEN)):
        (place / f"{name}.yaml").write_text(text.format(data=place / "sums.jsonl"), encoding="utf-8")
    return tmp_path


def test_the_figures_are_those_of_the_harness_on_the_merged_model(life: Any, folder: Path) -> None:
    from lm_eval import evaluator
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    from tuneloop.models.merge import merged

    found = LmEval(tasks=["sums", "written"], include_path="tasks").run(open_model(life.model, life.store), folder, 0)
    loaded = open_model(life.model, life.store)
    merged(loaded.model).save_pretrained(folder / "merged")
    loaded.tokenizer.hf.save_pretrained(folder / "merged")
    theirs = evaluator.simple_evaluate(
        HFLM(pretrained=str(folder / "merged"), device="cpu", batch_size=3),
        tasks=["sums", "written"],
        task_manager=TaskManager(include_path=str(folder / "tasks"), include_defaults=False),
        apply_chat_template=True,
    )["results"]
    ours = {(each.task, each.metric): each for each in found}
    assert set(ours) == {("sums", "acc"), ("sums", "acc_norm"), ("written", "exact_match")}
    for (task, metric), each in ours.items():
        assert each.value == pytest.approx(theirs[task][f"{metric},none"], abs=1e-9)
        assert each.error == pytest.approx(theirs[task][f"{metric}_stderr,none"], abs=1e-9)
        assert each.n == 12


def test_a_report_has_the_benchmarks_of_both_models_and_is_measured_anew_when_data_change(
    life: Any, folder: Path
) -> None:
    section = EvaluateSection.model_validate(
        {"metrics": [], "benchmarks": [{"lm_eval": {"tasks": ["sums"], "include_path": "tasks", "limit": 4}}]}
    )
    part = section.benchmarks[0]
    assert [path.name for path in part.files(folder)] == ["sums.jsonl", "sums.yaml", "written.yaml"]
    report = evaluate(
        section, model=life.model, dataset=life.dataset, task=life.task, store=life.store, seed=7,
        given=Given(folder=folder, files={"sums.jsonl": "1"}),
    )  # fmt: skip
    told = read_json(report.folder / "report.json")["benchmarks"]
    assert set(told) == {"base", "tuned"} and told["tuned"][0]["n"] == 4
    assert "<h2>Benchmarks</h2>" in (report.folder / "report.html").read_text(encoding="utf-8")


def test_a_task_that_is_not_there_is_told_with_a_fix(life: Any, folder: Path) -> None:
    loaded = open_model(life.model, life.store)
    (folder / "tasks" / "lost.yaml").write_text(CHOICE.format(data=folder / "lost.jsonl").replace("sums", "lost"))
    with pytest.raises(DataError, match="cannot ask lost"):
        LmEval(tasks=["lost"], include_path="tasks").run(loaded, folder, 0)


def test_chinese_questions_of_cmmlu_are_asked_from_local_files(life: Any, real: Path, folder: Path) -> None:
    data = real / "eval" / "cmmlu_dev" / "marketing.csv"
    if not data.exists():
        pytest.skip("no CMMLU")
    text = CHOICE.replace("dataset_path: json", "dataset_path: csv").format(data=data).replace("sums", "marketing")
    text = text.replace('"{{question}}"', '"{{Question}}\\nA. {{A}}\\nB. {{B}}\\nC. {{C}}\\nD. {{D}}\\n答案："')
    text = text.replace('"{{choices}}"', '["A", "B", "C", "D"]')
    text = text.replace('"{{answer}}"', "\"{{['A', 'B', 'C', 'D'].index(Answer)}}\"")
    (folder / "tasks" / "marketing.yaml").write_text(text, encoding="utf-8")
    found = LmEval(tasks=["marketing"], include_path="tasks").run(open_model(life.model, life.store), folder, 0)
    assert found[0].n == 5 and 0 <= found[0].value <= 1
