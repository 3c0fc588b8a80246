"""Batches and losses, against transformers and PEFT computed plainly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from tuneloop.models import Loaded, find_base, load_base
from tuneloop.models.logits import logits_at
from tuneloop.models.section import ModelSection
from tuneloop.parts import find
from tuneloop.rows import Chat, Message, Record, Text
from tuneloop.store import Store
from tuneloop.tasks import Batch, Example, Task

SFT: Any = find(Task, "sft")()


def load(folder: Path, tmp_path: Path) -> Loaded:
    section = ModelSection(base=str(folder))
    return load_base(find_base(section, folder=Path(), store=Store(tmp_path)), section, SFT, seed=0)


def rows(loaded: Loaded) -> Batch:
    told = [("who was there", "a king"), ("what did the king do then", "he went to the wood"), ("why", "to play, 好吗")]
    chats = [Chat((Message("user", a), Message("assistant", b))) for a, b in told]
    texts = [Text("Once upon a time there was a girl. She had a dog.")]
    task: Any = find(Task, "pretrain")()
    found = [SFT.encode(Record.of(chat, origin="x:1"), loaded.tokenizer, 256)[0] for chat in chats]
    found += [task.encode(Record.of(text, origin="x:1"), loaded.tokenizer, 256)[0] for text in texts]
    batch: Batch = SFT.collate(found, loaded.tokenizer.pad_id)
    return batch


@pytest.fixture(params=["stories260K", "babyllama361", "tiny"])
def folder(request: pytest.FixtureRequest) -> Path:
    if request.param == "tiny":
        return Path(request.getfixturevalue("tiny_model"))
    return Path(request.getfixturevalue("real")) / "models" / request.param


def peft(folder: Path, r: int) -> Any:
    """The model as PEFT makes it by itself from the same seed."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    torch.manual_seed(0)
    options = {"lora_alpha": 2 * r, "lora_dropout": 0.0, "target_modules": "all-linear"}
    return get_peft_model(model, LoraConfig(r=r, task_type="CAUSAL_LM", **options))


@pytest.mark.parametrize("how", ["lora", "full"])
def test_loss_and_gradients_are_those_of_transformers_and_peft(folder: Path, tmp_path: Path, how: str) -> None:
    from transformers import AutoModelForCausalLM

    loaded = load(folder, tmp_path)
    batch = rows(loaded)
    if how == "lora":
        ours: Any = find_adapter("lora", r=8, lora_alpha=16, lora_dropout=0.0).attach(loaded.model)
        plain = peft(folder, 8)
        for mine, theirs in zip(trained(ours).values(), trained(plain).values(), strict=True):
            assert torch.equal(mine, theirs)
            with torch.no_grad():
                mine += 0.01
                theirs += 0.01
    else:
        ours = find_adapter("full").attach(loaded.model)
        plain = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).train()
    loss = SFT.loss(ours, batch)
    loss.backward()
    expected = plain(input_ids=batch.ids, attention_mask=batch.mask, labels=batch.labels, use_cache=False).loss
    (expected * batch.supervised).backward()
    assert loss.item() / batch.supervised == pytest.approx(expected.item(), rel=1e-6)
    pairs = list(zip(trained(ours).values(), trained(plain).values(), strict=True))
    off = torch.stack([(mine.grad - theirs.grad).norm() for mine, theirs in pairs]).norm()
    assert off <= 1e-6 * torch.stack([theirs.grad.norm() for _, theirs in pairs]).norm()


def find_adapter(name: str, **options: Any) -> Any:
    from tuneloop.models.adapters import Adapter

    return find(Adapter, name)(**options)


def trained(model: Any) -> dict[str, Any]:
    return {name: p for name, p in model.named_parameters() if p.requires_grad}


def test_the_loss_of_a_row_does_not_depend_on_its_neighbours(tiny_model: Path, tmp_path: Path) -> None:
    loaded = load(tiny_model, tmp_path)
    batch = rows(loaded)
    together = SFT.loss(loaded.model, batch).item()
    alone = 0.0
    for row in range(len(batch.ids)):
        length = int(batch.mask[row].sum())
        one = Batch(
            batch.ids[row : row + 1, :length],
            batch.mask[row : row + 1, :length],
            batch.labels[row : row + 1, :length],
            0,
            0,
        )
        alone += SFT.loss(loaded.model, one).item()
    assert together == pytest.approx(alone, rel=1e-6)


def test_the_head_sees_only_the_chosen_positions(tiny_model: Path, tmp_path: Path) -> None:
    loaded = load(tiny_model, tmp_path)
    batch = rows(loaded)
    where = torch.zeros_like(batch.ids, dtype=torch.bool)
    where[0, 3] = where[2, 5] = True
    found = logits_at(loaded.model, batch.ids, where)
    full = loaded.model(input_ids=batch.ids, attention_mask=batch.mask).logits
    assert found.shape == (2, full.shape[-1])
    torch.testing.assert_close(found, full[where], rtol=1e-5, atol=1e-6)


def test_padding_is_never_learned_even_if_it_is_the_end_token() -> None:
    end = 2
    batch = SFT.collate([Example((5, 6, end), (0, 1, 1), "a"), Example((5, end), (0, 1), "b")], end)
    assert batch.labels.tolist() == [[-100, 6, end], [-100, end, -100]]
    assert batch.mask.tolist() == [[1, 1, 1], [1, 1, 0]]
    assert (batch.supervised, batch.tokens) == (3, 5)


def test_what_nothing_predicts_does_not_count() -> None:
    batch = SFT.collate([Example((5, 6), (1, 1), "a")], 0)
    assert batch.supervised == 1


def test_a_batch_with_nothing_to_learn_has_loss_zero(tiny_model: Path, tmp_path: Path) -> None:
    loaded = load(tiny_model, tmp_path)
    loss = SFT.loss(loaded.model, SFT.collate([Example((5, 6, 7), (0, 0, 0), "a")], 0))
    assert loss.item() == 0
    loss.backward()
