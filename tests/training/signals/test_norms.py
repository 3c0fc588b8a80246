"""Norms by layer: found in the names of any family, and the total is torch's to the last bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from peft import LoraConfig, get_peft_model
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSequenceClassification

from tuneloop.training.signals.norms import Groups, total_norm

SMALL: dict[str, dict[str, Any]] = {
    "llama": {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2},
    "gpt2": {"n_embd": 16, "n_layer": 2, "n_head": 2},
    "opt": {
        "hidden_size": 16,
        "ffn_dim": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "word_embed_proj_dim": 16,
    },
    "qwen2_moe": {
        "hidden_size": 16,
        "intermediate_size": 16,
        "moe_intermediate_size": 8,
        "shared_expert_intermediate_size": 8,
        "num_experts": 4,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
    },
}


def model_of(kind: str, tied: bool = False) -> Any:
    config = AutoConfig.for_model(kind, vocab_size=32, tie_word_embeddings=tied, **SMALL[kind])
    return AutoModelForCausalLM.from_config(config)


def named(model: Any) -> dict[str, nn.Parameter]:
    return {name: weight for name, weight in model.named_parameters() if weight.requires_grad}


@given(st.lists(st.lists(st.floats(-1e3, 1e3, width=32), min_size=1, max_size=6), min_size=1, max_size=5))
def test_the_total_is_that_of_torch_to_the_last_bit(numbers: list[list[float]]) -> None:
    gradients = [torch.tensor(each) for each in numbers]
    norm, each = total_norm(gradients)
    assert torch.equal(norm, nn.utils.get_total_norm(gradients))
    assert each is not None
    assert torch.equal(each, torch.stack([gradient.norm() for gradient in gradients]))


def test_gradients_of_two_formats_have_a_total_and_no_parts() -> None:
    gradients = [torch.ones(3), torch.ones(3, dtype=torch.bfloat16)]
    norm, each = total_norm(gradients)
    assert torch.equal(norm, nn.utils.get_total_norm(gradients))
    assert each is None


@pytest.mark.parametrize("kind", sorted(SMALL))
def test_every_family_has_its_layers(kind: str) -> None:
    model = model_of(kind)
    names = Groups(model, named(model)).names
    assert (
        {"embedding", "layers.00", "layers.01"}
        <= set(names)
        <= {"embedding", "layers.00", "layers.01", "head", "other"}
    )
    assert "head" in names or kind in ("gpt2", "opt")  # these tie their head in any case


def test_an_adapter_has_the_layers_that_it_is_in() -> None:
    model = get_peft_model(model_of("llama"), LoraConfig(target_modules=["q_proj"], modules_to_save=["lm_head"]))
    assert Groups(model, named(model)).names == ["head", "layers.00", "layers.01"]


def test_a_classifier_has_a_head() -> None:
    config = AutoConfig.for_model("llama", vocab_size=32, num_labels=2, pad_token_id=0, **SMALL["llama"])
    model = AutoModelForSequenceClassification.from_config(config)
    assert "head" in Groups(model, named(model)).names


def test_the_groups_together_are_the_whole() -> None:
    model = model_of("llama")
    weights = named(model)
    groups = Groups(model, weights)
    norms = np.arange(1, len(weights) + 1, dtype=np.float32)
    found = groups.norms(list(weights.values()), norms)
    assert sum(norm**2 for norm in found.values()) == pytest.approx(float((norms**2).sum()))
    some = dict(list(weights.items())[:1])
    assert list(groups.norms(list(some.values()), norms[:1])) == ["grad_norm/embedding"]
