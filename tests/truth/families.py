"""Tiny random models of many families, with the quirks that make packing hard switched on."""

from __future__ import annotations

from typing import Any

import torch

SIZE: dict[str, Any] = {
    "vocab_size": 97,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 512,
    "bos_token_id": None,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
GATED: dict[str, Any] = {"intermediate_size": 64, "num_key_value_heads": 2, "head_dim": 8}
MIXTURE: dict[str, Any] = {"num_experts_per_tok": 2}
SLIDING = ["sliding_attention", "full_attention"]
STATE: dict[str, Any] = {"mamba_d_ssm": 32, "mamba_n_heads": 4, "mamba_d_head": 8, "mamba_d_state": 8}

FAMILIES: dict[str, dict[str, Any]] = {
    "llama": {**GATED, "attention_bias": True},
    "qwen2": {**GATED, "tie_word_embeddings": True},
    "qwen3": GATED,
    "mistral": {**GATED, "sliding_window": 5},
    "gemma2": {**GATED, "sliding_window": 5, "query_pre_attn_scalar": 8, "attn_logit_softcapping": 0.5},
    "gemma3_text": {**GATED, "sliding_window": 5, "query_pre_attn_scalar": 8, "layer_types": SLIDING},
    "phi3": {**GATED, "sliding_window": 5},
    "gpt2": {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 512},
    "gpt_neox": {"intermediate_size": 64},
    "olmo2": GATED,
    "mixtral": {**GATED, **MIXTURE, "num_local_experts": 4, "sliding_window": 5},
    "qwen3_moe": {**GATED, **MIXTURE, "num_experts": 4, "moe_intermediate_size": 16},
    "gpt_oss": {**GATED, **MIXTURE, "num_local_experts": 4, "sliding_window": 5, "layer_types": SLIDING},
    "granite": {**GATED, "logits_scaling": 4.0, "attention_multiplier": 0.3, "residual_multiplier": 0.5},
    "cohere": {**GATED, "logit_scale": 0.25},
    "cohere2": {**GATED, "logit_scale": 0.25, "sliding_window": 5, "layer_types": SLIDING},
    "starcoder2": {**GATED, "sliding_window": 5},
    "opt": {"ffn_dim": 64, "word_embed_proj_dim": 32},
    "bloom": {"n_head": 4, "n_layer": 2},
    "smollm3": {**GATED, "no_rope_layers": [0, 1], "no_rope_layer_interval": 2},
    "llama4_text": {
        **GATED, "intermediate_size_mlp": 64, "num_local_experts": 2, "attention_chunk_size": 6,
        "layer_types": ["chunked_attention", "full_attention"],
    },
    "deepseek_v3": {
        "intermediate_size": 64, "moe_intermediate_size": 16, "n_routed_experts": 4, "num_experts_per_tok": 2,
        "n_group": 1, "topk_group": 1, "kv_lora_rank": 8, "q_lora_rank": 8, "qk_rope_head_dim": 4,
        "qk_nope_head_dim": 8, "v_head_dim": 8, "first_k_dense_replace": 1, "num_key_value_heads": 4,
    },
    "mamba": {"state_size": 8},
    "mamba2": {"state_size": 8, "num_heads": 8, "head_dim": 8, "n_groups": 2, "chunk_size": 16},
    "falcon_h1": {**GATED, **STATE, "mamba_chunk_size": 16},
    "recurrent_gemma": {**GATED, "attention_window_size": 5, "lru_width": 32},
    "lfm2": {**GATED, "layer_types": ["conv", "full_attention"]},
    "qwen3_next": {
        **GATED, **MIXTURE, "num_experts": 4, "moe_intermediate_size": 16, "shared_expert_intermediate_size": 16,
        "linear_num_value_heads": 4, "linear_num_key_heads": 2, "linear_key_head_dim": 8, "linear_value_head_dim": 8,
        "layer_types": ["linear_attention", "full_attention"],
    },
}  # fmt: skip
STD = 0.12
RENAMED = {"gpt2": {"hidden_size", "max_position_embeddings"}, "bloom": {"max_position_embeddings"}}


def make(family: str, *, seed: int = 0, **changes: Any) -> Any:
    """A model with weights large enough for its quirks to show, as transformers makes it, without dropout."""
    from transformers import AutoConfig, AutoModelForCausalLM

    size = {name: value for name, value in SIZE.items() if name not in RENAMED.get(family, ())}
    attention = changes.pop("attn_implementation", None)
    torch.manual_seed(seed)
    config = AutoConfig.for_model(family, **{**size, **FAMILIES[family], **changes})
    for name in ("attn_pdrop", "embd_pdrop", "resid_pdrop", "attention_dropout", "hidden_dropout", "dropout"):
        if hasattr(config, name):
            setattr(config, name, 0.0)
    told = {"attn_implementation": attention, "experts_implementation": attention} if attention else {}
    model = AutoModelForCausalLM.from_config(config, **told)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.ndim >= 2 and "A_log" not in name:
                weight.normal_(0, STD, generator=generator)
            elif "norm" in name or name.endswith(("bias", "sinks")):
                weight += torch.empty_like(weight).normal_(0, 0.1, generator=generator)
    return model
