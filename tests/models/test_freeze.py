"""Freezing leaves exactly the chosen weights to learn, and the tuned model opens as it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tests.models.test_load import IDS, load, logits, lora, sealed, stir, tuned
from tests.models.test_lora import llama

from tuneloop.errors import TrainingError
from tuneloop.models import open_model, open_start
from tuneloop.models.adapters import Adapter
from tuneloop.parts import find
from tuneloop.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def freeze(**options: Any) -> Adapter:
    return find(Adapter, "freeze")(**{"freeze_trainable_layers": 1, **options})


def learning(model: Any) -> set[str]:
    return {name for name, weight in model.named_parameters() if weight.requires_grad}


def test_only_the_top_blocks_learn() -> None:
    model = freeze().attach(llama())
    assert learning(model) == {name for name, _ in model.named_parameters() if name.startswith("model.layers.1.")}
    assert freeze(freeze_trainable_layers=2).acts(freeze().attach(model))["learn"] == ["model.layers.1"]


def test_named_modules_learn_too_and_receipts_say_so() -> None:
    adapter = freeze(freeze_extra_modules=["norm", "lm_head"])
    model = adapter.attach(llama())
    assert {name for name in learning(model) if "layers" not in name} == {"model.norm.weight", "lm_head.weight"}
    assert adapter.acts(model) == {
        "blocks": 2,
        "learn": ["model.layers.1"],
        "others": ["lm_head.weight", "model.norm.weight"],
    }


def test_gradients_are_those_of_full_training() -> None:
    full, frozen = find(Adapter, "full")().attach(llama()), freeze().attach(llama())
    for model in (full, frozen):
        model(IDS, labels=IDS).loss.backward()
    expected = {name: weight.grad for name, weight in full.named_parameters()}
    for name, weight in frozen.named_parameters():
        assert (weight.grad is None) is ("layers.1." not in name)
        assert weight.grad is None or torch.equal(weight.grad, expected[name])


@pytest.mark.parametrize(
    ("options", "said"),
    [({"freeze_trainable_layers": 3}, "has 2 blocks"), ({"freeze_extra_modules": ["wte"]}, "matches no module")],
)
def test_what_is_not_there_is_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(TrainingError, match=said):
        freeze(**options).attach(llama())


def test_every_family_has_blocks(family: Path) -> None:
    from transformers import AutoModelForCausalLM

    model = freeze().attach(AutoModelForCausalLM.from_pretrained(family))
    assert learning(model)
    assert all(".1." in name for name in learning(model))


@pytest.mark.parametrize("extra", [None, ["embed_tokens", "norm"]])
def test_it_opens_again_and_goes_on_with_the_same_base(tiny_model: Path, store: Store, extra: list[str] | None) -> None:
    loaded = tuned(load(store, tiny_model), freeze(freeze_extra_modules=extra))
    model = sealed(loaded, store)
    assert model.facts["form"] == "full"
    assert torch.equal(logits(open_model(model, store)), logits(loaded))
    going = open_start(model, freeze(), store)
    assert going.base.digest == loaded.base.digest
    stir(going)
    assert torch.equal(logits(open_model(sealed(going, store), store)), logits(going))


@pytest.mark.parametrize("first", [lora(), lora(modules_to_save=["embed_tokens"])])
def test_an_adapter_is_merged_first(tiny_model: Path, store: Store, first: Adapter) -> None:
    model = sealed(tuned(load(store, tiny_model), first), store)
    going = open_start(model, freeze(), store)
    going.model.eval()
    assert torch.allclose(logits(going), logits(open_model(model, store)), atol=1e-5)
    assert torch.equal(logits(open_model(sealed(going, store), store)), logits(going))
