"""Shapes of well-known models with random weights, and the least arithmetic that training them needs."""

from __future__ import annotations

from typing import Any

SHAPES: dict[str, dict[str, Any]] = {
    "tiny": {
        "family": "Qwen2",
        "vocab_size": 4096,
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "rope_theta": 10_000.0,
    },
    "135M": {  # SmolLM2-135M
        "family": "Llama",
        "vocab_size": 49_152,
        "hidden_size": 576,
        "intermediate_size": 1536,
        "num_hidden_layers": 30,
        "num_attention_heads": 9,
        "num_key_value_heads": 3,
        "rope_theta": 100_000.0,
    },
    "0.5B": {  # Qwen2.5-0.5B
        "family": "Qwen2",
        "vocab_size": 151_936,
        "hidden_size": 896,
        "intermediate_size": 4864,
        "num_hidden_layers": 24,
        "num_attention_heads": 14,
        "num_key_value_heads": 2,
        "rope_theta": 1_000_000.0,
    },
    "1.5B": {  # Qwen2.5-1.5B
        "family": "Qwen2",
        "vocab_size": 151_936,
        "hidden_size": 1536,
        "intermediate_size": 8960,
        "num_hidden_layers": 28,
        "num_attention_heads": 12,
        "num_key_value_heads": 2,
        "rope_theta": 1_000_000.0,
    },
    "7B": {  # Qwen2.5-7B
        "family": "Qwen2",
        "vocab_size": 152_064,
        "hidden_size": 3584,
        "intermediate_size": 18_944,
        "num_hidden_layers": 28,
        "num_attention_heads": 28,
        "num_key_value_heads": 4,
        "rope_theta": 1_000_000.0,
        "tie_word_embeddings": False,
    },
}


def make(size: str, device: str = "cpu", dtype: str = "float32") -> Any:
    """The model of a shape with seeded random weights.

    Args:
        size: A key of ``SHAPES``.
        device: Where they are drawn; a CPU takes minutes for billions of them.
        dtype: Name of a torch dtype.
    """
    import torch
    import transformers

    shape = dict(SHAPES[size])
    family = shape.pop("family")
    theta, tied = shape.pop("rope_theta"), shape.pop("tie_word_embeddings", True)
    config = getattr(transformers, f"{family}Config")(
        **shape,
        rope_parameters={"rope_type": "default", "rope_theta": theta},
        max_position_embeddings=8192,
        tie_word_embeddings=tied,
        rms_norm_eps=1e-6,
        bos_token_id=None,
        eos_token_id=2,
        pad_token_id=0,
    )
    torch.manual_seed(0)
    config.dtype = getattr(torch, dtype)
    before = torch.get_default_dtype()
    torch.set_default_dtype(config.dtype)
    try:
        with torch.device(device):
            return getattr(transformers, f"{family}ForCausalLM")(config)
    finally:
        torch.set_default_dtype(before)


def linear_sizes(size: str) -> dict[str, tuple[int, int]]:
    """Inputs and outputs of the linear layers of one block, by name."""
    shape = SHAPES[size]
    hidden, inner = shape["hidden_size"], shape["intermediate_size"]
    keys = hidden // shape["num_attention_heads"] * shape["num_key_value_heads"]
    return {
        "q_proj": (hidden, hidden),
        "k_proj": (hidden, keys),
        "v_proj": (hidden, keys),
        "o_proj": (hidden, hidden),
        "gate_proj": (hidden, inner),
        "up_proj": (hidden, inner),
        "down_proj": (inner, hidden),
    }


def least_flops(
    size: str, *, lengths: list[int], supervised: int, r: int, targets: list[str], full_head: bool = False
) -> float:
    """Floating-point operations that one pass over some rows needs at least, forward and backward.

    Frozen matrices cost 2 operations per weight and token forward and 2 for the gradient of their input; an adapter
    costs 6 per weight and token; causal attention 3 times its forward, ``4 * hidden * length / 2`` per token; the
    output head counts at supervised positions alone (``full_head``: at all, as a usual MFU does).

    Args:
        size: A key of ``SHAPES``.
        lengths: Real tokens of each row.
        supervised: Supervised tokens of all rows.
        r: Rank of the adapters.
        targets: Names of the adapted layers.
        full_head: Count the head at every token.
    """
    shape, sizes = SHAPES[size], linear_sizes(size)
    tokens = sum(lengths)
    frozen = 4 * sum(a * b for a, b in sizes.values())
    adapters = 6 * r * sum(sum(sizes[name]) for name in targets)
    attention = sum(3 * 2 * shape["hidden_size"] * length * length for length in lengths)
    head = 4 * shape["hidden_size"] * shape["vocab_size"] * (tokens if full_head else supervised)
    return float(shape["num_hidden_layers"] * ((frozen + adapters) * tokens + attention) + head)


def matmul_rate(dtype: str, seconds: float = 2.0, device: str = "cpu") -> float:
    """Floating-point operations per second that this process reaches in a large matrix product.

    Args:
        dtype: Name of a torch dtype.
        seconds: How long to measure; the best of the repetitions counts.
        device: Where.
    """
    import time

    import torch

    rows, inner, columns = (8192, 8192, 8192) if device == "cuda" else (1024, 1024, 4096)
    a = torch.randn(rows, inner, device=device).to(getattr(torch, dtype))
    b = torch.randn(inner, columns, device=device).to(getattr(torch, dtype))

    def timed() -> float:
        began = time.perf_counter()
        for _ in range(4):
            a @ b
        if device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - began

    timed()
    best, ends = timed(), time.perf_counter() + seconds
    while time.perf_counter() < ends:
        best = min(best, timed())
    return 4 * 2 * rows * inner * columns / best
