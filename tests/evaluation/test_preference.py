"""A model that learned preferences is measured by them: against its reference, pair by pair, and by its answers."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch

import tuneloop
from tuneloop.models import open_model
from tuneloop.store import Store

CHOSEN, REJECTED = "the quick fox jumps", "lazy dog over and over"


def rows(path: Path, *, single: bool = False) -> Path:
    with path.open("w", encoding="utf-8") as file:
        for i in range(40):
            if single:
                said = CHOSEN if i % 2 else REJECTED
                file.write(
                    f'{{"prompt": "what is {i}", "completion": "{said} {i}", "label": {str(bool(i % 2)).lower()}}}\n'
                )
            else:
                file.write(f'{{"prompt": "what is {i}", "chosen": "{CHOSEN} {i}", "rejected": "{REJECTED} {i}"}}\n')
    return path


def recipe(source: Path, base: Path, **task: Any) -> tuneloop.Recipe:
    return tuneloop.load(
        {
            "name": "prefer",
            "data": {"sources": [str(source)], "split": {"validation": 0.2, "test": 0.3}},
            "model": {"base": str(base)},
            "task": {"preference": task},
            "train": {
                "adapter": {"lora": {"r": 4, "lora_dropout": 0.0}},
                "optimizer": {"adamw": {"learning_rate": 1e-2}},
                "batch": {"size": 8},
                "max_steps": 12,
                "max_length": 96,
                "precision": "fp32",
            },
            "evaluate": {"metrics": ["exact_match"], "limit": 3, "max_new_tokens": 12},
        }
    )


def walked(recipe: tuneloop.Recipe, store: Store) -> dict[str, Any]:
    tuneloop.prepare(recipe, store)
    _, model = tuneloop.train(recipe, store)
    report = tuneloop.evaluate(recipe, store)
    return {"model": model, "report": report, "scores": report.scores}


def test_the_losses_of_single_pairs_add_up_and_are_compared(tmp_path: Path, tiny_model: Path) -> None:
    from tuneloop.evaluation.shown import rows_of
    from tuneloop.store.kinds import read_json

    found = walked(recipe(rows(tmp_path / "rows.jsonl"), tiny_model, beta=0.5), Store(tmp_path / "store"))
    _, losses = rows_of(found["report"])
    assert all(row.terms == {"base": 1, "tuned": 1} for row in losses)
    for side in ("base", "tuned"):
        loss = found["scores"][side]["loss"]
        assert sum(row.loss[side] for row in losses) / len(losses) == pytest.approx(loss["mean"], rel=1e-5)
        assert loss["low"] <= loss["mean"] <= loss["high"] and loss["n"] == len(losses)
    compared = read_json(found["report"].folder / "report.json")["compared"]
    assert [each["figure"] for each in compared] == ["exact_match", "loss"]
    assert compared[1]["verdict"] == "better"


def test_dpo_is_measured_against_its_reference(tmp_path: Path, tiny_model: Path) -> None:
    store = Store(tmp_path / "store")
    found = walked(recipe(rows(tmp_path / "pairs.jsonl"), tiny_model), store)
    base, tuned = found["scores"]["base"], found["scores"]["tuned"]
    assert base["loss"]["mean"] == pytest.approx(math.log(2), rel=1e-6)
    assert tuned["loss"]["mean"] < base["loss"]["mean"]
    assert "rewards/accuracies" not in base, "the reference has no rewards against itself"
    assert tuned["rewards/accuracies"]["mean"] == 1
    assert tuned["rewards/accuracies"]["low"] < 1
    assert tuned["rewards/margins"]["mean"] > 0
    assert {"base", "tuned"} <= {side for side in found["scores"] if "logps/accuracies" in found["scores"][side]}
    assert "perplexity" not in tuned
    assert found["report"].facts["verdict"].startswith("Reward accuracy 100 % on")
    page = (found["report"].folder / "report.html").read_text(encoding="utf-8")
    assert "nats per pair" in page
    assert "better than its base" in page


def test_the_held_out_rewards_are_those_of_plain_torch(tmp_path: Path, tiny_model: Path) -> None:
    store = Store(tmp_path / "store")
    chosen = recipe(rows(tmp_path / "pairs.jsonl"), tiny_model, beta=0.3)
    found = walked(chosen, store)
    dataset = tuneloop.prepare(chosen, store)
    rewards = []
    for record in dataset.records("test"):
        content: Any = record.content
        ratios = []
        for side in (content.chosen, content.rejected):
            likely = []
            for adapter in (True, False):
                loaded = open_model(found["model"], store, adapter=adapter)
                prompt, answer = loaded.tokenizer.answer_ids((*content.prompt, *side), (), 1)
                ids = torch.tensor([prompt + answer])
                with torch.no_grad():
                    scores = loaded.model(input_ids=ids).logits[0, :-1].double().log_softmax(-1)
                each = scores.gather(1, ids[0, 1:, None])[len(prompt) - 1 :]
                likely.append(each.sum().item())
            ratios.append(0.3 * (likely[0] - likely[1]))
        rewards.append(ratios)
    margins = [good - bad for good, bad in rewards]
    tuned = found["scores"]["tuned"]
    assert tuned["rewards/margins"]["mean"] == pytest.approx(sum(margins) / len(margins), rel=1e-4)
    expected = sum(math.log1p(math.exp(-margin)) for margin in margins) / len(margins)
    assert tuned["loss"]["mean"] == pytest.approx(expected, rel=1e-4)


def test_a_loss_without_reference_gives_both_sides_rewards(tmp_path: Path, tiny_model: Path) -> None:
    found = walked(recipe(rows(tmp_path / "pairs.jsonl"), tiny_model, loss_type="orpo"), Store(tmp_path / "store"))
    assert all("rewards/accuracies" in found["scores"][side] for side in ("base", "tuned"))


def test_single_judged_answers_are_learned_and_measured_with_kto(tmp_path: Path, tiny_model: Path) -> None:
    source = rows(tmp_path / "judged.jsonl", single=True)
    found = walked(recipe(source, tiny_model, loss_type="kto"), Store(tmp_path / "store"))
    base, tuned = found["scores"]["base"], found["scores"]["tuned"]
    assert base["loss"]["mean"] == pytest.approx(0.5, rel=1e-6)
    assert "rewards/accuracies" not in base
    assert tuned["loss"]["mean"] < 0.5
    assert tuned["rewards/margins"]["mean"] > 0
    assert "nats per answer" in (found["report"].folder / "report.html").read_text(encoding="utf-8")


def test_a_model_that_learned_from_a_tuned_one_is_measured_against_that(tmp_path: Path, tiny_model: Path) -> None:
    from tuneloop.evaluation.evaluate import evaluate
    from tuneloop.models import find_base
    from tuneloop.monitoring.section import MonitorSection
    from tuneloop.training.train import train

    store = Store(tmp_path / "store")
    chosen = recipe(rows(tmp_path / "pairs.jsonl"), tiny_model)
    first = walked(chosen, store)["model"]
    dataset = tuneloop.prepare(chosen, store)
    short = chosen.train.model_copy(update={"max_steps": 1})
    run, second = train(
        short,
        task=chosen.task,
        model=chosen.model,
        base=find_base(chosen.model, folder=tmp_path, store=store),
        dataset=dataset,
        monitor=MonitorSection(),
        store=store,
        seed=1,
        recipe=chosen.model_dump(mode="json"),
        start=first,
    )
    report = evaluate(chosen.evaluate, model=second, dataset=dataset, task=chosen.task, store=store, seed=1, run=run)
    assert report.scores["tuned"]["loss"]["mean"] == pytest.approx(math.log(2), rel=0.1)
    assert report.scores["base"]["loss"]["mean"] > 1.3 * math.log(2), "the base lags behind what training began with"
