"""Our loop against the plainest one that transformers, PEFT and torch allow."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tests.training.conftest import Bench, section_of, weights

from tuneloop.parts import find
from tuneloop.store import Model
from tuneloop.tasks import Task
from tuneloop.training.batches import order

STEPS, SIZE, RATE = 5, 6, 5e-3


def plain(bench: Bench, *, seed: int) -> dict[str, torch.Tensor]:
    """Five steps by hand: whole batches, one mean over their supervised tokens, cosine after warm-up."""
    from peft import LoraConfig, get_peft_model, get_peft_model_state_dict
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_pretrained(bench.base.folder, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(bench.base.folder)
    config = LoraConfig(r=4, lora_alpha=8, lora_dropout=0.0, target_modules="all-linear", task_type="CAUSAL_LM")
    model = get_peft_model(model, config)
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=RATE, weight_decay=0.1)
    records = list(bench.dataset.records("train"))
    for step in range(STEPS):
        chosen = order(len(records), seed=seed, epoch=0)[step * SIZE : (step + 1) * SIZE]
        optimizer.param_groups[0]["lr"] = RATE * (1 + math.cos(math.pi * step / STEPS)) / 2
        total, count = torch.zeros(()), 0
        for index in chosen:
            turns = [{"role": m.role, "content": m.content} for m in records[index].content.messages]
            whole = tokenizer.apply_chat_template(turns, tokenize=False)
            prompt = tokenizer.apply_chat_template(turns[:1], tokenize=False, add_generation_prompt=True)
            ids = tokenizer(whole.removesuffix("\n"), return_tensors="pt")["input_ids"]
            start = tokenizer(prompt, return_tensors="pt")["input_ids"].shape[1]
            logits = model(input_ids=ids).logits[0, start - 1 : -1]
            total = total + torch.nn.functional.cross_entropy(logits, ids[0, start:], reduction="sum")
            count += ids.shape[1] - start
        optimizer.zero_grad()
        (total / count).backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
    return get_peft_model_state_dict(model)


def tuned(model: Model) -> dict[str, torch.Tensor]:
    return load_file(next(model.weights.glob("*.safetensors")))


def oracle_section(**changes):
    return section_of(
        adapter={"lora": {"r": 4, "lora_alpha": 8, "lora_dropout": 0.0}},
        optimizer={"adamw": {"learning_rate": RATE, "weight_decay": 0.1}},
        schedule={"cosine": {"warmup_steps": 0}},
        max_steps=STEPS,
        eval_steps=99,
        **changes,
    )


def test_five_steps_equal_the_plain_loop(bench: Bench) -> None:
    _, model = bench.train(oracle_section(), seed=11)
    ours, theirs = tuned(model), plain(bench, seed=11)
    assert ours.keys() == theirs.keys()
    difference = max((ours[name] - theirs[name]).abs().max().item() for name in ours)
    assert difference <= 1e-6


@pytest.mark.parametrize("micro", [1, 2, 4, 5])
def test_accumulation_changes_nothing_also_in_an_uneven_last_step(bench: Bench, micro: int) -> None:
    changes = {"num_train_epochs": 1, "adapter": {"lora": {"r": 4, "lora_dropout": 0.0}}, "stop": None}
    _, whole = bench.train(section_of(**changes, batch={"size": 6, "per_device_train_batch_size": 6}))
    _, parts = bench.train(section_of(**changes, batch={"size": 6, "per_device_train_batch_size": micro}))
    one, other = tuned(whole), tuned(parts)
    assert max((one[name] - other[name]).abs().max().item() for name in one) <= 2e-6


def test_rows_without_supervised_tokens_weigh_nothing(tmp_path: Path, new_bench: Callable[[Path], Bench]) -> None:
    """Nothing predicts the token at position 0, so a row that learns only it is set aside."""
    sft = find(Task, "sft")

    class Mute(sft):  # type: ignore[misc,valid-type]
        def encode(self, record, tokenizer, max_length):
            (example,) = super().encode(record, tokenizer, max_length)
            if record.origin.endswith("1"):
                return [type(example)(example.ids, (1,) + (0,) * (len(example.ids) - 1), example.record)]
            return [example]

    bench = new_bench(tmp_path / "store")
    progress_notes: list[str] = []

    class Notes:
        def start(self, what, total=None): ...
        def advance(self, done, figures=None): ...
        def note(self, text):
            progress_notes.append(text)

    run, _ = bench.train(task=Mute(), progress=Notes())
    told = "36 of 40 rows are learned from; left out: 4 nothing to learn"
    assert any(told in note for note in progress_notes)
    assert all(math.isfinite(signal.value) for signal in run.signals())


def test_weight_decay_spares_norms_and_biases(bench: Bench) -> None:
    """At a rate of nearly nothing, decay alone moves what it may move."""
    section = section_of(
        adapter="full", optimizer={"sgd": {"learning_rate": 1e-9, "weight_decay": 1e5, "momentum": 0}},
        schedule={"constant": {"warmup_steps": 0}}, max_steps=10, max_grad_norm=1e-9, stop=None,
    )  # fmt: skip
    _, model = bench.train(section)
    before = load_file(bench.base.folder / "model.safetensors")
    after = tuned(model)
    for name, weight in before.items():
        ratio = (after[name].norm() / weight.norm()).item()
        assert ratio == pytest.approx(1.0 if weight.ndim == 1 else (1 - 1e-4) ** 10, abs=1e-5), name


def test_weights_differ_between_optimizers(bench: Bench) -> None:
    made = {
        name: weights(bench.train(section_of(optimizer={name: {"learning_rate": 1e-3}}, max_steps=2))[1])
        for name in ("adamw", "adam", "sgd", "rmsprop")
    }
    assert len(set(made.values())) >= 3  # without weight decay Adam and AdamW are the same
