"""LoRA is PEFT's LoRA, put where the recipe says, or refused with the names there are."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from pydantic import ValidationError

from tuneloop.errors import TrainingError
from tuneloop.models.adapters import Adapter
from tuneloop.parts import find


def llama(**options: Any) -> Any:
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    size = {"vocab_size": 64, "hidden_size": 16, "intermediate_size": 32, "num_attention_heads": 2}
    return LlamaForCausalLM(LlamaConfig(**{**size, "num_hidden_layers": 2, "num_key_value_heads": 1, **options}))


def lora(**options: Any) -> Adapter:
    return find(Adapter, "lora")(**{"r": 4, **options})


def adapted(model: Any) -> set[str]:
    return {name for name, module in model.get_base_model().named_modules() if hasattr(module, "lora_A")}


def test_all_linear_is_what_peft_calls_all_linear() -> None:
    from peft import LoraConfig, get_peft_model

    plain = get_peft_model(llama(), LoraConfig(r=4, lora_alpha=16, target_modules="all-linear", task_type="CAUSAL_LM"))
    ours = lora().attach(llama())
    assert adapted(ours) == adapted(plain)
    names = {name for name, p in ours.named_parameters() if p.requires_grad}
    assert names == {name for name, p in plain.named_parameters() if p.requires_grad}


def test_options_reach_peft() -> None:
    model: Any = lora(r=2, lora_alpha=5, lora_dropout=0.25, target_modules=["q_proj"]).attach(llama())
    layer = model.get_base_model().model.layers[0].self_attn.q_proj
    assert layer.scaling["default"] == 5 / 2
    assert layer.lora_dropout["default"].p == 0.25
    assert layer.lora_A["default"].weight.shape[0] == 2
    assert len(adapted(model)) == 2


def test_training_starts_at_the_base() -> None:
    base, ids = llama().eval(), torch.tensor([[1, 2, 3]])
    before = base(ids).logits
    assert torch.equal(lora().attach(base).eval()(ids).logits, before)


def test_one_layer_can_be_named_with_its_path() -> None:
    model = lora(target_modules=["layers.1.self_attn.v_proj"]).attach(llama())
    assert adapted(model) == {"model.layers.1.self_attn.v_proj"}


def test_a_pattern_chooses_layers() -> None:
    model = lora(target_modules=r".*layers\.0\..*(q|v)_proj").attach(llama())
    assert adapted(model) == {"model.layers.0.self_attn.q_proj", "model.layers.0.self_attn.v_proj"}


def test_a_name_that_matches_nothing_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(TrainingError, match="'query' matches no linear layer") as caught:
        lora(target_modules=["q_proj", "query"]).attach(llama())
    assert "q_proj" in caught.value.problems[0].fix


def test_a_broken_pattern_is_refused() -> None:
    with pytest.raises(ValidationError, match="regular expression"):
        lora(target_modules="(q_proj")


def test_a_rank_that_no_layer_can_have_is_refused() -> None:
    with pytest.raises(TrainingError, match="k_proj has only rank 8"):
        lora(r=12).attach(llama())


def test_conv1d_layers_of_gpt2_are_adapted_the_right_way_round() -> None:
    from transformers import GPT2Config, GPT2LMHeadModel

    model: Any = lora().attach(GPT2LMHeadModel(GPT2Config(n_embd=16, n_layer=1, n_head=2, vocab_size=64)))
    layer = model.get_base_model().transformer.h[0].attn.c_attn
    assert layer.fan_in_fan_out
    assert layer.lora_A["default"].weight.shape == (4, 16)
    assert layer.lora_B["default"].weight.shape == (48, 4)


def test_the_experts_of_a_mixture_are_not_adapted_by_all_linear() -> None:
    from transformers import Qwen3MoeConfig, Qwen3MoeForCausalLM

    size = {"vocab_size": 64, "hidden_size": 16, "intermediate_size": 32, "num_attention_heads": 2}
    moe = {"num_experts": 8, "moe_intermediate_size": 16, "num_experts_per_tok": 2, "head_dim": 8}
    model = lora().attach(
        Qwen3MoeForCausalLM(Qwen3MoeConfig(**size, **moe, num_hidden_layers=1, num_key_value_heads=2))
    )
    assert not any("experts" in name for name, p in model.named_parameters() if p.requires_grad)
    assert any("q_proj" in name for name in adapted(model))


def test_full_frees_every_weight() -> None:
    model = find(Adapter, "full")().attach(llama().requires_grad_(False))
    assert all(p.requires_grad for p in model.parameters())
