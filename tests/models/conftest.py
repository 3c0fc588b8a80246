"""Tiny random models of every promised family, and tokenizers with the control tokens of well-known templates."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

# Each family with its quirks switched on: sliding windows shorter than the rows, soft caps, untied heads.
SIZE: dict[str, Any] = {
    "vocab_size": 400,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 128,
    "bos_token_id": None,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
GATED: dict[str, Any] = {"intermediate_size": 64, "num_key_value_heads": 2}
FAMILIES: dict[str, dict[str, Any]] = {
    "opt": {"ffn_dim": 64, "word_embed_proj_dim": 32},
    "gpt2": {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 128},
    "llama": {**GATED, "tie_word_embeddings": False},
    "qwen2": {**GATED, "tie_word_embeddings": True},
    "qwen3": {**GATED, "head_dim": 8, "tie_word_embeddings": True},
    "mistral": {**GATED, "sliding_window": 8, "head_dim": 8},
    "gemma": {**GATED, "head_dim": 8},
    "gemma2": {**GATED, "head_dim": 8, "sliding_window": 8, "final_logit_softcapping": 2.0, "query_pre_attn_scalar": 8},
    "gemma3_text": {**GATED, "head_dim": 8, "sliding_window": 8, "query_pre_attn_scalar": 8},
    "phi": {"intermediate_size": 64},
    "phi3": GATED,
    "glm": {**GATED, "head_dim": 8},
    "glm4": {**GATED, "head_dim": 8},
}

CONTROL: dict[str, list[str]] = {
    "qwen3": [],
    "qwen2_5": [],
    "llama3": ["<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"],
    "phi3": ["<|system|>", "<|user|>", "<|assistant|>", "<|end|>"],
    "gemma": ["<bos>", "<start_of_turn>", "<end_of_turn>"],
    "glm4moe": ["[gMASK]", "<sop>", "<|system|>", "<|user|>", "<|assistant|>", "<|observation|>"],
    "deepseekv3": ["<｜begin▁of▁sentence｜>", "<｜User｜>", "<｜Assistant｜>", "<｜end▁of▁sentence｜>"],
}
EOS = {
    "qwen3": "<|im_end|>",
    "qwen2_5": "<|im_end|>",
    "llama3": "<|eot_id|>",
    "phi3": "<|endoftext|>",
    "gemma": "<|endoftext|>",
    "glm4moe": "<|endoftext|>",
    "deepseekv3": "<｜end▁of▁sentence｜>",
}
BOS = {"llama3": "<|begin_of_text|>", "gemma": "<bos>", "deepseekv3": "<｜begin▁of▁sentence｜>"}


@pytest.fixture(scope="session")
def stock(real: Path) -> Callable[..., Any]:
    """Make the tokenizer of a family with its stock chat template, or with the one that carries generation marks."""
    from transformers import AutoTokenizer

    def make(name: str, kind: str = "") -> Any:
        tokenizer = AutoTokenizer.from_pretrained(real / "tokenizers" / "minimind")
        tokenizer.add_special_tokens({"additional_special_tokens": CONTROL[name]})
        tokenizer.eos_token = EOS[name]
        if name in BOS:
            tokenizer.bos_token = BOS[name]
        tokenizer.chat_template = (real / "chat_templates" / f"{name}{kind}.jinja").read_text(encoding="utf-8")
        return tokenizer

    return make


@pytest.fixture(scope="session", params=FAMILIES)
def family(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, tiny_tokenizer: Path) -> Path:
    """A folder with a random two-layer model of a family and the tiny tokenizer, as Hugging Face saves them."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp(request.param)
    own = {"hidden_size", "max_position_embeddings"} if request.param == "gpt2" else set()
    size = {key: value for key, value in SIZE.items() if key not in own}
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(request.param, **{**size, **FAMILIES[request.param]}))
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(tiny_tokenizer).save_pretrained(folder)
    return folder
