"""The stage as a whole, on a tiny tuned model."""

from __future__ import annotations

import json
import math
from typing import Any

import msgspec
import pytest

from tuneloop.errors import DataError
from tuneloop.evaluation.answers import Answered
from tuneloop.evaluation.evaluate import evaluate
from tuneloop.evaluation.section import EvaluateSection
from tuneloop.parts import find
from tuneloop.rows import Chat, Message, Record, Text, jsonl
from tuneloop.store import Dataset, Model, Report
from tuneloop.store.parquet import write_records
from tuneloop.tasks import Task


def measure(life: Any, **options: Any) -> Report:
    section = EvaluateSection.model_validate({"max_new_tokens": 8} | options)
    return evaluate(
        section, model=life.model, dataset=life.dataset, task=life.task, store=life.store, seed=7, name="tiny"
    )


def test_a_report_holds_both_models_scores_answers_and_parents(life: Any) -> None:
    report = measure(life, limit=5, samples=2)
    told = json.loads((report.folder / "report.json").read_text(encoding="utf-8"))
    answers = list(jsonl.read(report.folder / "answers.jsonl", Answered))
    assert report.parents == {"model": life.model.id, "dataset": life.dataset.id, "run": life.run.id}
    assert set(told["scores"]) == {"base", "tuned"}
    assert set(told["scores"]["tuned"]) == {"loss", "perplexity", "exact_match", "token_f1", "rouge_l", "chrf"}
    assert told["scores"]["tuned"]["loss"]["n"] == 7
    assert any("longer than max_length (1)" in finding["evidence"] for finding in told["findings"])
    assert told["scores"]["tuned"]["exact_match"]["n"] == len(answers) == 5
    assert len(told["samples"]) == 2
    assert report.facts["tuned"]["loss"] == told["scores"]["tuned"]["loss"]["mean"]
    assert told["scores"]["tuned"]["loss"]["mean"] != told["scores"]["base"]["loss"]["mean"]
    assert [row.record for row in answers] == sorted(record.id for record in life.dataset.records("test"))[:5]


def test_the_loss_is_transformers_own(life: Any) -> None:
    """Loss of each row alone by transformers, from its rendered conversation and the answer's tokens."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = life.model.facts["base"]["folder"]
    model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(folder), str(life.model.weights)).eval()
    tokenizer = AutoTokenizer.from_pretrained(life.model.weights)
    total, count = 0.0, 0
    for record in life.dataset.records("test"):
        turns = [{"role": m.role, "content": m.content} for m in record.content.messages]
        prompt = tokenizer.apply_chat_template(turns[:1], add_generation_prompt=True, tokenize=False)
        whole = tokenizer.apply_chat_template(turns, tokenize=False).removesuffix("\n")
        start = len(tokenizer(prompt, add_special_tokens=False)["input_ids"])
        ids = torch.tensor([tokenizer(whole, add_special_tokens=False)["input_ids"]])
        if ids.shape[1] > 64:
            continue
        labels = ids.clone()
        labels[:, :start] = -100
        with torch.no_grad():
            loss = model(input_ids=ids, labels=labels).loss
        total += float(loss) * (ids.shape[1] - start)
        count += ids.shape[1] - start
    tuned = measure(life, metrics=[]).scores["tuned"]
    assert tuned["loss"]["tokens"] == count
    assert tuned["loss"]["mean"] == pytest.approx(total / count, rel=1e-5)
    assert tuned["perplexity"]["mean"] == pytest.approx(math.exp(total / count), rel=1e-5)


def test_answers_are_transformers_greedy_answers(life: Any) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    report = measure(life)
    folder = life.model.facts["base"]["folder"]
    model = AutoModelForCausalLM.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(life.model.weights)
    for row in list(jsonl.read(report.folder / "answers.jsonl", Answered))[:3]:
        turns = [{"role": "user", "content": row.prompt}]
        ids = tokenizer.apply_chat_template(turns, add_generation_prompt=True, return_tensors="pt", return_dict=True)
        with torch.no_grad():
            room = 3 if "script" in row.prompt else 8
            out = model.generate(**ids, max_new_tokens=room, do_sample=False)
        text = tokenizer.decode(out[0, ids["input_ids"].shape[1] :], skip_special_tokens=True)
        assert row.base == text


def test_what_was_measured_is_found_again(life: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    first = measure(life)
    monkeypatch.setattr("tuneloop.models.open_model", None)
    assert measure(life).id == first.id
    with pytest.raises(TypeError):
        measure(life, limit=3)


def test_two_evaluations_in_two_stores_have_the_same_scores(life: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    first = measure(life)
    monkeypatch.setattr(type(life.store), "find", lambda *_: None)
    assert measure(life).id == first.id


def test_without_baseline_only_the_tuned_model_is_opened(life: Any) -> None:
    report = measure(life, baseline=False)
    assert set(report.scores) == {"tuned"}
    assert "→" not in report.facts["verdict"]
    assert "Base answer" not in (report.folder / "report.html").read_text(encoding="utf-8")


def test_without_metrics_the_perplexity_speaks(life: Any) -> None:
    report = measure(life, metrics=[])
    assert report.facts["verdict"].startswith("Perplexity ")
    assert set(report.scores["tuned"]) == {"loss", "perplexity"}


def test_a_missing_split_is_refused_with_a_fix(life: Any) -> None:
    with pytest.raises(DataError, match="no rows in its validation split") as caught:
        measure(life, split="validation")
    assert "data.split.validation" in caught.value.problems[0].fix


def test_scores_on_training_rows_come_with_a_warning(life: Any) -> None:
    told = msgspec.json.decode((measure(life, split="train").folder / "report.json").read_bytes())
    assert any("learned from" in finding["evidence"] for finding in told["findings"])
    assert "training rows" in told["verdict"]


def test_a_rows_own_limit_makes_its_answer_shorter(life: Any) -> None:
    rows = list(jsonl.read(measure(life).folder / "answers.jsonl", Answered))
    short = next(row for row in rows if "script" in row.prompt)
    assert len(short.tuned) < max(len(row.tuned) for row in rows)


def test_texts_that_ask_nothing_are_measured_by_their_loss_alone(life: Any) -> None:
    texts = [Record.of(Text(f"the quick brown fox jumps {n} times " * 9), origin=f"book.txt:{n}") for n in range(4)]
    with life.store.draft() as folder:
        write_records(folder / "test.parquet", texts)
        dataset = life.store.seal(Dataset, folder, parents={}, key="texts", facts={})
    report = evaluate(
        EvaluateSection(), model=life.model, dataset=dataset, task=find(Task, "pretrain")(), store=life.store, seed=7
    )
    assert set(report.scores["tuned"]) == {"loss", "perplexity"}
    assert "4 held-out rows" in report.facts["verdict"]
    assert (report.folder / "answers.jsonl").read_bytes() == b""


def test_a_full_models_base_is_the_folder_it_came_from(life: Any, full_model: Model) -> None:
    tuned = measure(life._replace(model=full_model)).scores
    adapted = measure(life).scores
    assert tuned["base"] == adapted["base"]
    assert tuned["tuned"] != adapted["tuned"]


def test_rows_without_anything_to_learn_are_refused(life: Any) -> None:
    mute = Record.of(Chat((Message("user", "hello"),)), origin="rows.jsonl:1")
    with life.store.draft() as folder:
        write_records(folder / "test.parquet", [mute])
        dataset = life.store.seal(Dataset, folder, parents={}, key="mute", facts={})
    with pytest.raises(DataError, match="no turn to learn from"):
        measure(life._replace(dataset=dataset))


def test_progress_never_passes_its_total(life: Any) -> None:
    class Watcher:
        def __init__(self) -> None:
            self.work: list[tuple[str, int]] = []
            self.done = 0

        def start(self, what: str, total: int | None = None) -> None:
            assert not self.work or self.done == self.work[-1][1]
            assert total is not None
            self.work.append((what, total))
            self.done = 0

        def advance(self, done: int, figures: Any = None) -> None:
            assert self.done < done <= self.work[-1][1]
            self.done = done

        def note(self, text: str) -> None:
            raise AssertionError(text)

    watcher = Watcher()
    evaluate(
        EvaluateSection(max_new_tokens=4),
        model=life.model,
        dataset=life.dataset,
        task=life.task,
        store=life.store,
        seed=7,
        progress=watcher,
    )
    loss, asked = "measuring the loss of the {} model", "asking the {} model"
    assert watcher.work == [(text.format(side), n) for side in ("base", "tuned") for text, n in ((loss, 7), (asked, 8))]
    assert watcher.done == 8
