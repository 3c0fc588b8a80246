"""Ten steps of ours against ten of transformers' own Trainer: the same losses, and the same weights at the end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tests.training.conftest import Bench, make_bench, section_of

from tuneloop.models.tokenizer import Tokenizer
from tuneloop.tasks import Example
from tuneloop.training.batches import order

STEPS, SIZE, SEED, RATE = 10, 6, 11, 5e-3
LORA = {"r": 4, "lora_alpha": 8, "lora_dropout": 0.0}
CLOSE = 1e-5


class InOurOrder(torch.utils.data.Sampler):
    """The rows of each epoch in the documented order."""

    def __init__(self, count: int) -> None:
        self.count, self.epoch = count, 0

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[int]:
        chosen = order(self.count, seed=SEED, epoch=self.epoch).tolist()
        self.epoch += 1
        return iter(chosen)


def collated(examples: list[Example]) -> dict[str, torch.Tensor]:
    """A padded batch as the textbooks make it, by hand."""
    width = max(len(example.ids) for example in examples)
    rows: dict[str, list[list[int]]] = {"input_ids": [], "attention_mask": [], "labels": []}
    for example in examples:
        fill = width - len(example.ids)
        learned = zip(example.ids, example.learn, strict=True)
        rows["input_ids"].append([*example.ids, *[0] * fill])
        rows["attention_mask"].append([1] * len(example.ids) + [0] * fill)
        rows["labels"].append([id if mark else -100 for id, mark in learned] + [-100] * fill)
    return {name: torch.tensor(values) for name, values in rows.items()}


def theirs(bench: Bench, adapter: str, micro: int, folder: Path) -> tuple[list[float], dict[str, torch.Tensor]]:
    """Losses of the steps and the trained weights of transformers' Trainer."""
    from peft import LoraConfig, get_peft_model, get_peft_model_state_dict
    from transformers import AutoModelForCausalLM, Trainer, TrainingArguments

    torch.manual_seed(SEED)
    model = AutoModelForCausalLM.from_pretrained(bench.base.folder, dtype=torch.float32)
    tokenizer = Tokenizer.load(bench.base.folder)
    rows = [bench.task.encode(record, tokenizer, 64)[0] for record in bench.dataset.records("train")]
    if adapter == "lora":
        model = get_peft_model(model, LoraConfig(**LORA, target_modules="all-linear", task_type="CAUSAL_LM"))
    losses: list[float] = []

    class Watched(Trainer):
        def _get_train_sampler(self, *args: Any, **kwargs: Any) -> InOurOrder:
            return InOurOrder(len(rows))

        def log(self, logs: dict[str, float], *args: Any, **kwargs: Any) -> None:
            if "loss" in logs:
                losses.append(logs["loss"])

        def _maybe_log_save_evaluate(self, tr_loss: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
            exact, logged = float(tr_loss), len(losses)  # the logged figure may be rounded
            found = super()._maybe_log_save_evaluate(tr_loss, *args, **kwargs)
            losses[logged:] = [exact] * (len(losses) - logged)
            return found

    arguments = TrainingArguments(
        output_dir=str(folder),
        max_steps=STEPS,
        per_device_train_batch_size=micro,
        gradient_accumulation_steps=-(-SIZE // micro),
        learning_rate=RATE,
        lr_scheduler_type="constant",
        weight_decay=0.0,
        max_grad_norm=1.0,
        logging_steps=1,
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
        use_cpu=True,
        remove_unused_columns=False,
    )
    Watched(model=model, args=arguments, train_dataset=rows, data_collator=collated).train()
    return losses, get_peft_model_state_dict(model) if adapter == "lora" else model.state_dict()


@pytest.mark.parametrize(
    ("adapter", "micro", "packing"),
    [("lora", 2, True), ("lora", 3, False), ("full", 2, True), ("full", 1, False), ("full", 6, True)],
)
def test_ten_steps_equal_those_of_the_trainer(
    tmp_path: Path, tiny_model: Path, adapter: str, micro: int, packing: bool
) -> None:
    """40 rows by six: the seventh step is an uneven window, the eighth begins the second epoch."""
    bench = make_bench(tmp_path / "store", tiny_model)
    section = section_of(
        adapter={"lora": LORA} if adapter == "lora" else "full",
        optimizer={"adamw": {"learning_rate": RATE, "weight_decay": 0.0}},
        schedule={"constant": {"warmup_steps": 0}},
        batch={"size": SIZE, "per_device_train_batch_size": micro, "packing": packing},
        max_steps=STEPS,
        eval_steps=99,
        stop=None,
    )
    run, model = bench.train(section, seed=SEED)
    ours = [signal.value for signal in run.signals() if signal.name == "train/loss"]
    losses, weights = theirs(bench, adapter, micro, tmp_path / "trainer")
    assert len(ours) == len(losses) == STEPS
    assert ours == pytest.approx(losses, rel=CLOSE)
    assert losses[-1] < losses[0] - 0.1, "nothing was learned: the comparison would prove nothing"
    saved = load_file(next(model.weights.glob("*.safetensors")))
    compared = [name for name in saved if name in weights]
    assert len(compared) == len(saved)
    assert max(float((saved[name] - weights[name]).abs().max()) for name in compared) <= 1e-4
