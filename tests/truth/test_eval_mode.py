"""The held-out loss is that of the rows and the saved weights alone, whatever is done to the loss while training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tests.training.conftest import Bench, make_bench, section_of
from tests.truth.oracle import PRECISE, losses

from tuneloop.evaluation.loss import held_out
from tuneloop.models import open_model
from tuneloop.models.tokenizer import Tokenizer
from tuneloop.monitoring.progress import Silent
from tuneloop.parts import find
from tuneloop.store import Run
from tuneloop.tasks import Task

LORA = {"r": 4, "lora_alpha": 8, "lora_dropout": 0.0}
ONLY_IN_TRAINING: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "label smoothing": ({"label_smoothing_factor": 0.2}, {}),
    "neftune": ({}, {"regularization": {"neftune_noise_alpha": 15.0}}),
    "dropout": ({}, {"regularization": {"dropout": 0.4}}),
    "lora dropout": ({}, {"adapter": {"lora": {**LORA, "lora_dropout": 0.5}}}),
    "pulls": ({}, {"regularization": {"l1": 0.5, "l2_start": 0.5}}),
}


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Bench:
    return make_bench(tmp_path_factory.mktemp("evaluation") / "store", tiny_model)


def trained(bench: Bench, options: dict[str, Any], changes: dict[str, Any]) -> tuple[Run, Any]:
    section = section_of(**{"adapter": {"lora": LORA}, "max_steps": 4, "eval_steps": 4, "stop": None, **changes})
    return bench.train(section, task=find(Task, "sft")(**options))


def values(run: Run, name: str) -> list[float]:
    return [signal.value for signal in run.signals() if signal.name == name]


def plain(bench: Bench, adapter: Path | None) -> float:
    """Mean loss of the validation rows, as transformers and PEFT alone have it."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    model: Any = AutoModelForCausalLM.from_pretrained(bench.base.folder, dtype=torch.float32)
    if adapter is not None:
        model = PeftModel.from_pretrained(model, adapter)
    tokenizer = Tokenizer.load(bench.base.folder)
    rows = [bench.task.encode(record, tokenizer, 64)[0] for record in bench.dataset.records("validation")]
    with torch.no_grad():
        return float(torch.cat([losses(model.double().eval(), row) for row in rows]).mean())


@pytest.mark.parametrize("what", ONLY_IN_TRAINING)
def test_what_acts_in_training_only_leaves_the_held_out_loss_alone(bench: Bench, what: str) -> None:
    options, changes = ONLY_IN_TRAINING[what]
    run, model = trained(bench, options, changes)
    usual, _ = trained(bench, {}, {})
    before, after = values(run, "validation/loss")
    assert before == pytest.approx(plain(bench, None), rel=PRECISE)
    assert after == pytest.approx(plain(bench, model.weights), rel=PRECISE)
    assert values(run, "train/loss")[1:] != values(usual, "train/loss")[1:], "the option did nothing at all"


def test_the_evaluation_stage_measures_the_same_loss_as_training_did(bench: Bench) -> None:
    options, changes = ONLY_IN_TRAINING["label smoothing"]
    run, model = trained(bench, options, changes)
    records = list(bench.dataset.records("validation"))
    task = find(Task, "sft")(**options)
    found = held_out(open_model(model, bench.store), records, task, 64, Silent())
    assert found.loss == pytest.approx(values(run, "validation/loss")[-1], rel=PRECISE)
    assert found.loss == pytest.approx(plain(bench, model.weights), rel=PRECISE)
    tokenizer = Tokenizer.load(bench.base.folder)
    counted = sum(sum(bench.task.encode(record, tokenizer, 64)[0].learn) for record in records)
    assert (found.tokens, found.rows) == (counted, len(records))


@pytest.mark.parametrize("adapter", ["full", {"lora": LORA}], ids=["head learns", "head frozen"])
def test_smoothing_in_training_is_the_formula(bench: Bench, adapter: Any) -> None:
    """``(1 - s) * -log p[target] + s * mean over the vocabulary of -log p``, written out."""
    section = section_of(adapter=adapter, max_steps=1, eval_steps=9, stop=None, batch={"size": 40})
    run, _ = bench.train(section, task=find(Task, "sft")(label_smoothing_factor=0.3))
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(bench.base.folder, dtype=torch.float32).double().eval()
    tokenizer = Tokenizer.load(bench.base.folder)
    terms = []
    with torch.no_grad():
        for record in bench.dataset.records("train"):
            (row,) = bench.task.encode(record, tokenizer, 64)
            chances = model(input_ids=torch.tensor([row.ids]), use_cache=False).logits[0].log_softmax(-1)
            for place in range(1, len(row.ids)):
                if row.learn[place]:
                    terms.append(-0.7 * chances[place - 1, row.ids[place]] - 0.3 * chances[place - 1].mean())
    assert values(run, "train/loss") == pytest.approx([float(torch.stack(terms).mean())], rel=PRECISE)
