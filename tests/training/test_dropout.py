"""Dropout is in the attention and the feed-forward part of every block, in training only, and nowhere in the files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.models.test_lora import llama, lora
from tests.training.conftest import Bench, section_of
from torch import nn
from transformers import (
    FalconConfig,
    FalconForCausalLM,
    Gemma2Config,
    Gemma2ForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    MambaConfig,
    MambaForCausalLM,
    MixtralConfig,
    MixtralForCausalLM,
    OPTConfig,
    OPTForCausalLM,
    PhiConfig,
    PhiForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from tuneloop.errors import TrainingError
from tuneloop.training.dropout import add_dropout, dropout_found, sublayers

IDS = torch.arange(20).reshape(2, 10)
SIZES: dict[str, Any] = {
    "vocab_size": 64,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 32,
}
WIDE = SIZES | {"intermediate_size": 64}


def family(name: str) -> nn.Module:
    torch.manual_seed(0)
    made: dict[str, Callable[[], nn.Module]] = {
        "llama": llama,
        "gpt2": lambda: GPT2LMHeadModel(GPT2Config(vocab_size=64, n_embd=32, n_layer=2, n_head=4, n_positions=32)),
        "opt": lambda: OPTForCausalLM(OPTConfig(**SIZES, ffn_dim=64, word_embed_proj_dim=32)),
        "phi": lambda: PhiForCausalLM(PhiConfig(**WIDE)),
        "falcon": lambda: FalconForCausalLM(FalconConfig(**SIZES)),
        "neox": lambda: GPTNeoXForCausalLM(GPTNeoXConfig(**WIDE)),
        "qwen3": lambda: Qwen3ForCausalLM(Qwen3Config(**WIDE, num_key_value_heads=2, head_dim=8)),
        "gemma2": lambda: Gemma2ForCausalLM(Gemma2Config(**WIDE, num_key_value_heads=2, head_dim=8)),
        "mixtral": lambda: MixtralForCausalLM(MixtralConfig(**WIDE, num_key_value_heads=2, num_local_experts=2)),
    }
    return made[name]()


FAMILIES = ["llama", "gpt2", "opt", "phi", "falcon", "neox", "qwen3", "gemma2", "mixtral"]


@pytest.mark.parametrize("name", FAMILIES)
def test_every_block_drops_in_attention_and_feed_forward_part(name: str) -> None:
    model = family(name)
    add_dropout(model, 0.25)
    found = dropout_found(model, lambda: model(IDS))
    for place in ("attention", "feed_forward"):
        assert found[place]["modules"] == 2
        assert found[place]["p"] == [0.25], "what the family brings itself is switched off"
        assert found[place]["zeros"] == pytest.approx(0.25, abs=0.06)
        assert found[place]["evaluation"] == 0
    assert found.keys() == {"attention", "feed_forward"}


@pytest.mark.parametrize("name", FAMILIES)
def test_evaluation_is_as_without_dropout_and_training_is_not(name: str) -> None:
    model = family(name)
    plain = model.eval()(IDS).logits
    add_dropout(model, 0.25)
    assert torch.equal(model.eval()(IDS).logits, plain)
    one, two = model.train()(IDS).logits, model(IDS).logits
    assert not torch.allclose(one, two, atol=1e-4)


@pytest.mark.parametrize("name", ["llama", "gpt2", "opt"])
def test_each_part_alone_is_dropped_and_scaled_up(name: str) -> None:
    model = family(name)
    seen: dict[str, torch.Tensor] = {}
    for place in sublayers(model):
        module = model.get_submodule(place)

        def before(_: nn.Module, __: Any, output: Any, place: str = place) -> None:
            seen[place] = output[0] if isinstance(output, tuple) else output

        module.register_forward_hook(before)
    add_dropout(model, 0.5)
    for place in sublayers(model):

        def after(_: nn.Module, __: Any, output: Any, place: str = place) -> None:
            dropped = output[0] if isinstance(output, tuple) else output
            kept = dropped != 0
            assert torch.allclose(dropped[kept], 2 * seen[place][kept])
            assert 0.3 < kept.float().mean() < 0.7

        model.get_submodule(place).register_forward_hook(after)
    model.train()(IDS)
    assert len(seen) == 4


@pytest.mark.parametrize(
    ("name", "places"), [("gpt2", {"attention", "feed_forward", "elsewhere"}), ("opt", {"elsewhere"})]
)
def test_a_zero_switches_the_familys_own_dropout_off(name: str, places: set[str]) -> None:
    model = family(name)
    assert dropout_found(model, lambda: model(IDS)).keys() == places
    add_dropout(model, 0.0)
    assert dropout_found(model, lambda: model(IDS)) == {}
    assert torch.equal(model.train()(IDS).logits, model.eval()(IDS).logits)


def test_it_stands_beside_an_adapter_and_leaves_the_adapters_own_dropout_alone() -> None:
    model = lora(lora_dropout=0.125).attach(llama())
    names, weights = set(dict(model.named_modules())), set(model.state_dict())
    add_dropout(model, 0.25)
    found = dropout_found(model, lambda: model(IDS))
    assert [found[place]["p"] for place in ("attention", "feed_forward", "lora")] == [[0.25], [0.25], [0.125]]
    assert found["lora"]["modules"] == 14
    assert (names, weights) == (set(dict(model.named_modules())), set(model.state_dict()))


def test_looking_changes_neither_modes_nor_random_numbers() -> None:
    model = lora(lora_dropout=0.1).attach(llama())
    model.get_submodule("base_model.model.model.layers.0").eval()
    modes = {name: module.training for name, module in model.named_modules()}
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    dropout_found(model, lambda: model(IDS))
    assert torch.equal(torch.rand(3), expected)
    assert {name: module.training for name, module in model.named_modules()} == modes
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_a_model_without_attention_is_refused_in_words() -> None:
    model = MambaForCausalLM(MambaConfig(vocab_size=64, hidden_size=32, num_hidden_layers=1, state_size=4))
    with pytest.raises(TrainingError, match="cannot be told apart") as error:
        add_dropout(model, 0.1)
    assert error.value.problems[0].where == "train.regularization.dropout"


def test_a_run_with_dropout_proves_it_and_saves_nothing_of_it(
    tmp_path: Path, new_bench: Callable[[Path], Bench]
) -> None:
    bench = new_bench(tmp_path / "store")
    plain, dropped = (
        bench.train(section_of(max_steps=3, eval_steps=3, adapter="full", regularization={"dropout": p}))
        for p in (None, 0.25)
    )
    told = [json.loads((run.folder / "receipts.json").read_text())["dropout"] for run, _ in (plain, dropped)]
    assert told[0] == {}
    assert {place: (each["modules"], each["p"], each["evaluation"]) for place, each in told[1].items()} == {
        "attention": (2, [0.25], 0),
        "feed_forward": (2, [0.25], 0),
    }
    starts = [next(s.value for s in run.signals() if s.name == "validation/loss") for run, _ in (plain, dropped)]
    assert starts[0] == starts[1]
    configs = [(model.weights / "config.json").read_text() for _, model in (plain, dropped)]
    assert configs[0] == configs[1]


def test_lora_dropout_is_found_at_every_adapted_layer(bench: Bench) -> None:
    run, _ = bench.train(section_of(max_steps=1))
    told = json.loads((run.folder / "receipts.json").read_text())["dropout"]
    assert (told["lora"]["modules"], told["lora"]["p"], told["lora"]["evaluation"]) == (14, [0.1], 0)
