"""Every promised family trains, is saved, and is opened again with the very same logits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from tuneloop.models import Loaded, find_base, load_base, open_model, save_model
from tuneloop.models.adapters import Adapter
from tuneloop.models.section import ModelSection
from tuneloop.parts import find
from tuneloop.rows import Chat, Message, Record
from tuneloop.store import Model, Store
from tuneloop.tasks import Batch, Task

LORA = {"lora_dropout": 0.0}


def opened(folder: Path, store: Store, adapter: str, **options: Any) -> Loaded:
    section = ModelSection(base=str(folder))
    loaded = load_base(find_base(section, folder=Path(), store=store), section, find(Task, "sft")(), seed=3)
    loaded.model = find(Adapter, adapter)(**options).attach(loaded.model)
    return loaded


def batch(loaded: Loaded) -> Batch:
    task = find(Task, "sft")()
    rows = [("what is one plus two", "three"), ("hi", "good day to you"), ("two plus two", "it is four, I think")]
    examples = []
    for asked, answered in rows:
        chat = Chat((Message("user", asked), Message("assistant", answered)))
        found = task.encode(Record.of(chat, origin="here:1"), loaded.tokenizer, 128)
        assert isinstance(found, list)
        examples += found
    return task.collate(examples, loaded.tokenizer.pad_id)


def plain(model: torch.nn.Module, rows: Batch) -> torch.Tensor:
    """The sum of losses as transformers alone computes it, with the mask and the full logits."""
    out = model(input_ids=rows.ids, attention_mask=rows.mask, labels=rows.labels, use_cache=False)
    return out.loss * rows.supervised


@pytest.mark.parametrize("adapter", ["lora", "full"])
def test_loss_and_gradients_equal_the_plain_computation(family: Path, tmp_path: Path, adapter: str) -> None:
    loaded = opened(family, Store(tmp_path), adapter, **(LORA if adapter == "lora" else {}))
    for name, weight in loaded.model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.1)
    loaded.model.eval()
    rows = batch(loaded)
    loss = find(Task, "sft")().loss(loaded.model, rows)
    loss.backward()
    ours = {name: p.grad for name, p in loaded.model.named_parameters() if p.requires_grad}
    loaded.model.zero_grad()
    expected = plain(loaded.model, rows)
    expected.backward()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)
    pairs = [(ours[name], p.grad) for name, p in loaded.model.named_parameters() if p.grad is not None]
    off = torch.stack([(got - wanted).norm() for got, wanted in pairs]).norm()
    assert off <= 1e-6 * torch.stack([wanted.norm() for _, wanted in pairs]).norm()


@pytest.mark.parametrize("adapter", ["lora", "full"])
def test_five_steps_then_saved_and_opened_with_the_same_logits(family: Path, tmp_path: Path, adapter: str) -> None:
    store = Store(tmp_path)
    loaded = opened(family, store, adapter, **(LORA if adapter == "lora" else {}))
    task, rows = find(Task, "sft")(), batch(loaded)
    moving = {name: p.detach().clone() for name, p in loaded.model.named_parameters() if p.requires_grad}
    still = {name: p.detach().clone() for name, p in loaded.model.named_parameters() if not p.requires_grad}
    optimizer = torch.optim.AdamW([p for p in loaded.model.parameters() if p.requires_grad], lr=1e-2)
    losses = []
    for _ in range(5):
        loss = task.loss(loaded.model, rows) / rows.supervised
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    assert losses[-1] < losses[0] - 0.05
    after = dict(loaded.model.named_parameters())
    assert any(not torch.equal(after[name], value) for name, value in moving.items())
    assert all(torch.equal(after[name], value) for name, value in still.items())

    with store.draft() as draft:
        (draft / "model").mkdir()
        facts = save_model(loaded, draft / "model")
        model = store.seal(Model, draft, parents={}, key="k", facts=facts)
    assert not list(model.folder.rglob("*.bin"))
    again = open_model(model, store)
    loaded.model.eval()
    with torch.no_grad():
        assert torch.equal(again.model(rows.ids).logits, loaded.model(rows.ids).logits)
    untuned = open_model(model, store, adapter=False)
    with torch.no_grad():
        base = load_base(loaded.base, loaded.section, task).model.eval()
        assert torch.equal(untuned.model(rows.ids).logits, base(rows.ids).logits)
