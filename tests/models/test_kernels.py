"""Kernels against the plain formulas, computed by torch's own gradients."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from tuneloop.models.kernels import attention
from tuneloop.models.kernels.attention import Documents, attend
from tuneloop.models.kernels.gate import swiglu
from tuneloop.models.kernels.head import head_losses
from tuneloop.models.kernels.linear import lora_linear
from tuneloop.models.kernels.norm import rms_norm
from tuneloop.models.quick import quicken

CLOSE = {torch.float32: 2e-6, torch.bfloat16: 2e-2}


def gradients(function: Callable[..., Tensor], *inputs: Tensor) -> list[Tensor]:
    """The result and the gradients by all floating-point inputs, for one fixed slope of the result."""
    leaves = [x.detach().clone().requires_grad_(x.is_floating_point()) for x in inputs]
    out = function(*leaves)
    torch.manual_seed(9)
    out.backward(torch.randn(out.shape).to(out.dtype))
    return [out.detach(), *(leaf.grad for leaf in leaves if leaf.grad is not None)]


def agree(ours: list[Tensor], plain: list[Tensor], dtype: torch.dtype) -> None:
    assert len(ours) == len(plain)
    for one, other in zip(ours, plain, strict=True):
        scale = other.float().abs().max().clamp(min=1e-3)
        assert ((one.float() - other.float()).abs().max() / scale).item() <= CLOSE[dtype]


@pytest.fixture(params=[torch.float32, torch.bfloat16], ids=["fp32", "bf16"])
def dtype(request: pytest.FixtureRequest) -> torch.dtype:
    torch.manual_seed(1)
    found: torch.dtype = request.param
    return found


def test_rms_norm(dtype: torch.dtype) -> None:
    x, weight = torch.randn(2, 5, 48).to(dtype), torch.rand(48) + 0.5

    def plain(x: Tensor, weight: Tensor) -> Tensor:
        wide = x.float()
        return (weight * wide / (wide.pow(2).mean(-1, keepdim=True) + 1e-6).sqrt()).to(x.dtype)

    agree(gradients(lambda x, w: rms_norm(x, w, 1e-6), x, weight), gradients(plain, x, weight), dtype)


def test_swiglu(dtype: torch.dtype) -> None:
    gate, up = torch.randn(7, 32).to(dtype), torch.randn(7, 32).to(dtype)

    def plain(gate: Tensor, up: Tensor) -> Tensor:
        return (nn.functional.silu(gate.float()) * up.float()).to(gate.dtype)

    agree(gradients(swiglu, gate, up), gradients(plain, gate, up), dtype)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("dropped", [False, True])
def test_lora_linear(dtype: torch.dtype, bias: bool, dropped: bool) -> None:
    x, weight = torch.randn(3, 4, 24).to(dtype), (torch.randn(16, 24) / 5).to(dtype)
    other = x * (torch.rand_like(x) > 0.3) if dropped else x
    a, b = torch.randn(4, 24) / 5, torch.randn(16, 4) / 2
    added = torch.randn(16) if bias else None

    def ours(x: Tensor, a: Tensor, b: Tensor) -> Tensor:
        return lora_linear(x, x * (other != 0) if dropped else x, weight, added, a, b, 2.0)

    def plain(x: Tensor, a: Tensor, b: Tensor) -> Tensor:
        wide = x.float()
        taken = wide * (other != 0) if dropped else wide
        return (nn.functional.linear(wide, weight.float(), added) + 2.0 * taken @ a.t() @ b.t()).to(x.dtype)

    agree(gradients(ours, x, a, b), gradients(plain, x, a, b), dtype)


def masked(q: Tensor, k: Tensor, v: Tensor, ends: tuple[int, ...], window: int | None) -> Tensor:
    """Attention with one dense mask, as the formula says it."""
    tokens = q.shape[2]
    owner = torch.repeat_interleave(
        torch.arange(len(ends)), torch.tensor([b - a for a, b in zip((0, *ends), ends, strict=False)])
    )
    query, key = torch.arange(tokens)[:, None], torch.arange(tokens)[None]
    seen = (owner[:, None] == owner[None]) & (key <= query)
    if window is not None:
        seen &= key > query - window
    repeats = q.shape[1] // k.shape[1]
    k, v = k.repeat_interleave(repeats, 1), v.repeat_interleave(repeats, 1)
    scores = (q.float() @ k.float().transpose(2, 3) * 0.2).masked_fill(~seen, float("-inf"))
    return (scores.softmax(-1) @ v.float()).transpose(1, 2).to(q.dtype)


@pytest.mark.parametrize("window", [None, 3, 150])
def test_attention_of_long_and_short_documents(dtype: torch.dtype, window: int | None) -> None:
    lengths = [5, 1, 300, 130, 2]
    ends = tuple(torch.tensor(lengths).cumsum(0).tolist())
    q, k = torch.randn(1, 6, ends[-1], 8).to(dtype), torch.randn(1, 2, ends[-1], 8).to(dtype)
    v = torch.randn(1, 2, ends[-1], 8).to(dtype)
    ours = gradients(lambda q, k, v: attend(q, k, v, Documents(ends), scale=0.2, window=window), q, k, v)
    agree(ours, gradients(lambda q, k, v: masked(q, k, v, ends, window), q, k, v), dtype)


@settings(max_examples=40, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 9), min_size=1, max_size=6),
    window=st.none() | st.integers(1, 9),
    rows=st.integers(1, 4),
    kept=st.integers(0, 6),
)
def test_any_cut_of_documents_into_tiles(lengths: list[int], window: int | None, rows: int, kept: int) -> None:
    was = attention.ROWS, attention.KEPT
    attention.ROWS, attention.KEPT = rows, kept
    attention._tiles.cache_clear()
    try:
        ends = tuple(torch.tensor(lengths).cumsum(0).tolist())
        torch.manual_seed(sum(lengths))
        q, k, v = (torch.randn(1, heads, ends[-1], 4) for heads in (4, 2, 2))
        ours = gradients(lambda q, k, v: attend(q, k, v, Documents(ends), scale=0.2, window=window), q, k, v)
        agree(ours, gradients(lambda q, k, v: masked(q, k, v, ends, window), q, k, v), torch.float32)
    finally:
        attention.ROWS, attention.KEPT = was
        attention._tiles.cache_clear()


def test_attention_with_dropout_keeps_its_mean() -> None:
    torch.manual_seed(0)
    q, k, v = (torch.randn(1, 2, 12, 4) for _ in range(3))
    documents = Documents((5, 12))
    still = attend(q, k, v, documents, scale=0.2)
    noisy = torch.stack([attend(q, k, v, documents, scale=0.2, dropout=0.3) for _ in range(3000)])
    assert not torch.equal(noisy[0], noisy[1])
    torch.testing.assert_close(noisy.mean(0), still, rtol=0, atol=0.06)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("bias", [False, True])
def test_head_losses(dtype: torch.dtype, smoothing: float, bias: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuneloop.models.kernels.head.TILE", 30)
    monkeypatch.setattr("tuneloop.models.kernels.head.HELD", 400)
    hidden, weight = torch.randn(11, 16).to(dtype), torch.randn(100, 16).to(dtype)
    targets, added = torch.randint(0, 100, (11,)), torch.randn(100) if bias else None

    def plain(hidden: Tensor) -> Tensor:
        logits = nn.functional.linear(hidden.float(), weight.float(), added)
        return nn.functional.cross_entropy(logits, targets, reduction="none", label_smoothing=smoothing)

    ours = gradients(lambda hidden: head_losses(hidden, weight, added, targets, smoothing), hidden)
    agree(ours, gradients(plain, hidden), dtype)


def test_a_sure_token_still_pulls_in_bfloat16() -> None:
    """A chance of 0.9999 is 1 in bfloat16; the slope of its loss must not become 0."""
    weight = torch.eye(4, 8).bfloat16() * 9
    hidden = torch.eye(1, 8).bfloat16().requires_grad_()
    head_losses(hidden, weight, None, torch.tensor([0]))[0].backward()
    assert hidden.grad is not None
    assert hidden.grad[0, 0].item() == pytest.approx(-9 * 3 / (3 + torch.e**9), rel=0.02)


class Largest(TorchDispatchMode):
    """Notes the elements of the largest tensor that any operation makes."""

    def __init__(self) -> None:
        super().__init__()
        self.elements = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if isinstance(out, Tensor):
            self.elements = max(self.elements, out.numel())
        return out


def test_all_logits_are_never_held() -> None:
    hidden, weight = torch.randn(64, 4, requires_grad=True), torch.randn(50_000, 4)
    with Largest() as largest:
        head_losses(hidden, weight, None, torch.randint(0, 50_000, (64,))).sum().backward()
    assert largest.elements <= 4096 * 64  # all logits would be 3,200,000


def model(family: str, **options: Any) -> nn.Module:
    import transformers

    shape = {
        "vocab_size": 50,
        "hidden_size": 16,
        "intermediate_size": 24,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
    }
    torch.manual_seed(3)
    config = getattr(transformers, f"{family}Config")(**(shape | options), pad_token_id=0)
    made: nn.Module = getattr(transformers, f"{family}ForCausalLM")(config)
    return made


@pytest.mark.parametrize("family", ["Llama", "Qwen2", "Qwen3", "Mistral"])
def test_a_model_gives_the_same_with_kernels(family: str) -> None:
    plain, ours = model(family), model(family)
    counts = quicken(ours)
    assert (counts.norms > 4, counts.gates) == (True, 2)
    ids = torch.randint(0, 50, (2, 9))
    for each in (plain, ours):
        each(input_ids=ids).logits.square().sum().backward()
    torch.testing.assert_close(ours(input_ids=ids).logits, plain(input_ids=ids).logits, rtol=1e-5, atol=1e-6)
    for (name, one), other in zip(ours.named_parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad, rtol=1e-4, atol=1e-5, msg=name)


def test_a_damaged_weight_leaves_the_modules_own_code_and_its_result() -> None:
    damaged = model("Llama")
    with torch.no_grad():
        damaged.get_parameter("model.layers.1.mlp.down_proj.weight")[0, 0] = math.nan
    assert quicken(damaged).gates == 1
    assert damaged(input_ids=torch.randint(0, 50, (1, 5))).logits.isnan().any()


def test_a_norm_of_another_kind_keeps_its_own_code() -> None:
    """Gemma multiplies by one plus the weight, and its gate is no SiLU."""
    counts = quicken(model("Gemma", head_dim=4))
    assert (counts.norms, counts.gates) == (0, 0)


def test_attention_under_autocast_computes_in_its_format() -> None:
    q, k, v = (torch.randn(1, 2, 7, 4).requires_grad_() for _ in range(3))
    with torch.autocast("cpu", torch.bfloat16):
        out = attend(q, k, v.bfloat16(), Documents((3, 7)), scale=0.2)
    assert out.dtype == torch.bfloat16
    out.float().sum().backward()
    assert q.grad is not None
    assert q.grad.dtype == torch.float32
