"""The decoder against ``model.generate`` of transformers, for every family, alone and together."""

from __future__ import annotations

import random
from typing import Any

import pytest
import torch
import transformers
from torch import nn

from tuneloop.errors import ModelError
from tuneloop.models.decoder import Decoder, Sampling

VOCABULARY = 120
SIZE: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 128,
    "bos_token_id": None,
    "eos_token_id": None,
    "pad_token_id": 0,
}
GATED = {**SIZE, "intermediate_size": 64, "num_key_value_heads": 2}
FAMILIES: dict[str, dict[str, Any]] = {
    "Llama": GATED,
    "Qwen2": GATED,
    "Qwen3": {**GATED, "head_dim": 8},
    "Mistral": {**GATED, "sliding_window": 6},
    "Gemma": {**GATED, "head_dim": 8},
    "Gemma2": {**GATED, "head_dim": 8, "sliding_window": 6},
    "Gemma3": {**GATED, "head_dim": 8, "sliding_window": 6, "layer_types": ["sliding_attention", "full_attention"]},
    "Phi": GATED,
    "Phi3": GATED,
    "Glm4": {**GATED, "head_dim": 8},
    "GPT2": {
        "vocab_size": VOCABULARY,
        "n_embd": 32,
        "n_layer": 2,
        "n_head": 4,
        "n_positions": 128,
        "eos_token_id": None,
    },
    "Bloom": {"vocab_size": VOCABULARY, "hidden_size": 32, "n_layer": 2, "n_head": 4},
    "Gemma4": {
        **GATED,
        "head_dim": 8,
        "global_head_dim": 8,
        "num_hidden_layers": 4,
        "num_kv_shared_layers": 2,
        "vocab_size_per_layer_input": VOCABULARY,
        "hidden_size_per_layer_input": 8,
        "sliding_window": 6,
        "layer_types": ["sliding_attention", "full_attention"] * 2,
    },
    "OPT": {**SIZE, "ffn_dim": 64, "word_embed_proj_dim": 32},
}


def made(family: str) -> nn.Module:
    torch.manual_seed(1)
    config = getattr(
        transformers, {"Gemma3": "Gemma3TextConfig", "Gemma4": "Gemma4TextConfig"}.get(family, f"{family}Config")
    )(**FAMILIES[family])
    kind = {"GPT2": "GPT2LMHeadModel"}.get(family, f"{family}ForCausalLM")
    model: nn.Module = getattr(transformers, kind)(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():  # larger weights than the usual start, so that answers vary
            parameter.mul_(3 if parameter.dim() > 1 else 1)
    return model


def prompts(count: int, seed: int = 0) -> list[list[int]]:
    draw = random.Random(seed)
    return [[draw.randrange(1, VOCABULARY) for _ in range(draw.randrange(1, 20))] for _ in range(count)]


def answers(
    model: nn.Module, asked: list[list[int]], *, batch: int, lengths: list[int], how: list[Sampling]
) -> list[list[int]]:
    decoder = Decoder(model, batch)
    place = {
        decoder.add(prompt, sampling): index for index, (prompt, sampling) in enumerate(zip(asked, how, strict=True))
    }
    out: list[list[int]] = [[] for _ in asked]
    while not decoder.idle:
        for ticket, token in decoder.step():
            index = place[ticket]
            out[index].append(token)
            if len(out[index]) == lengths[index]:
                decoder.remove(ticket)
    return out


def expected(model: Any, prompt: list[int], length: int) -> list[int]:
    out = model.generate(
        torch.tensor([prompt]),
        attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
        max_new_tokens=length,
        do_sample=False,
        pad_token_id=0,
    )
    return [int(id) for id in out[0, len(prompt) :]]


@pytest.mark.parametrize("family", FAMILIES)
def test_greedy_tokens_equal_generate_alone_and_eight_at_once(family: str) -> None:
    model = made(family)
    asked = prompts(12)
    lengths = [random.Random(i).randrange(1, 16) for i in range(len(asked))]
    greedy = [Sampling()] * len(asked)
    right = [expected(model, prompt, length) for prompt, length in zip(asked, lengths, strict=True)]
    assert len({token for answer in right for token in answer}) > 10  # a model that repeats itself would prove nothing
    assert answers(model, asked, batch=1, lengths=lengths, how=greedy) == right
    assert answers(model, asked, batch=8, lengths=lengths, how=greedy) == right


def test_fifty_prompts_equal_generate() -> None:
    model = made("Llama")
    asked = prompts(50, seed=3)
    lengths = [20] * 50
    right = [expected(model, prompt, 20) for prompt in asked]
    assert answers(model, asked, batch=1, lengths=lengths, how=[Sampling()] * 50) == right
    assert answers(model, asked, batch=8, lengths=lengths, how=[Sampling()] * 50) == right


def test_eager_attention_gives_the_same_tokens() -> None:
    model: Any = made("Qwen2")
    asked, lengths = prompts(9), [7] * 9
    plain = answers(model, asked, batch=4, lengths=lengths, how=[Sampling()] * 9)
    model.set_attn_implementation("eager")
    assert answers(model, asked, batch=4, lengths=lengths, how=[Sampling()] * 9) == plain


def test_a_seeded_row_does_not_depend_on_its_neighbours() -> None:
    model = made("Llama")
    asked = prompts(8)
    how = [Sampling(temperature=1.3, top_k=50, top_p=0.95, seed=i) for i in range(8)]
    together = answers(model, asked, batch=8, lengths=[12] * 8, how=how)
    alone = [answers(model, [a], batch=1, lengths=[12], how=[h])[0] for a, h in zip(asked, how, strict=True)]
    assert together == alone
    other = [Sampling(temperature=1.3, top_k=50, top_p=0.95, seed=i + 100) for i in range(8)]
    assert answers(model, asked, batch=8, lengths=[12] * 8, how=other) != together


@pytest.mark.parametrize("how", [Sampling(1.0, top_k=1), Sampling(1.0, top_p=0.0), Sampling(5e-324), Sampling(1e-9)])
def test_a_choice_of_one_is_greedy(how: Sampling) -> None:
    model = made("Llama")
    asked = prompts(4)
    greedy = answers(model, asked, batch=4, lengths=[8] * 4, how=[Sampling()] * 4)
    assert answers(model, asked, batch=4, lengths=[8] * 4, how=[how] * 4) == greedy


def test_draws_follow_the_distribution_of_transformers() -> None:
    from transformers import LogitsProcessorList, TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

    from tuneloop.models.decoder import _sample

    logits = torch.randn(30, generator=torch.Generator().manual_seed(4)) * 2
    warp = LogitsProcessorList([TemperatureLogitsWarper(1.4), TopKLogitsWarper(12), TopPLogitsWarper(0.8)])
    want = warp(torch.zeros(1, 1, dtype=torch.long), logits[None]).softmax(-1)[0]
    generator = torch.Generator().manual_seed(0)
    drawn = torch.zeros(30)
    for _ in range(4000):
        drawn[_sample(logits, Sampling(1.4, 12, 0.8, 0), generator)] += 1 / 4000
    assert set(drawn.nonzero().flatten().tolist()) == set(want.nonzero().flatten().tolist())
    assert torch.allclose(drawn, want, atol=0.03)


def test_rows_may_join_and_leave_at_any_step() -> None:
    model = made("Qwen3")
    asked = prompts(20, seed=5)
    right = [expected(model, prompt, 10) for prompt in asked]
    draw = random.Random(1)
    decoder, place, out = Decoder(model, 5), {}, [[] for _ in asked]  # type: ignore[var-annotated]
    waiting = list(range(20))
    cancelled = set()
    while waiting or not decoder.idle:
        for _ in range(draw.randrange(3)):
            if waiting:
                index = waiting.pop(0)
                place[decoder.add(asked[index], Sampling())] = index
        for ticket, token in decoder.step():
            out[place[ticket]].append(token)
            if len(out[place[ticket]]) == 10:
                decoder.remove(ticket)
        if draw.random() < 0.1 and place:
            ticket = draw.choice(list(place))
            cancelled.add(place[ticket])
            decoder.remove(ticket)
    assert 0 < len(cancelled) < 20
    for index, (got, want) in enumerate(zip(out, right, strict=True)):
        assert got == want[: len(got)]
        assert len(got) == 10 or index in cancelled


def test_the_cache_shrinks_when_the_longest_row_leaves() -> None:
    decoder = Decoder(made("Llama"), 4)
    long = decoder.add([5] * 60, Sampling())
    decoder.add([7] * 3, Sampling())
    decoder.step()
    decoder.remove(long)
    decoder.step()
    assert decoder._mask.shape == (1, 4)
    assert decoder._cache.layers[0].keys.shape[2] == 4


def test_a_state_that_cannot_be_padded_is_refused() -> None:
    config = transformers.MambaConfig(vocab_size=VOCABULARY, hidden_size=32, num_hidden_layers=2, state_size=8)
    with pytest.raises(ModelError, match="attention alone"):
        Decoder(transformers.MambaForCausalLM(config), 1)


def test_a_model_of_nan_is_refused() -> None:
    model = made("Llama")
    with torch.no_grad():
        next(model.parameters()).fill_(float("nan"))
    decoder = Decoder(model, 1)
    decoder.add([1, 2], Sampling())
    with pytest.raises(ModelError, match="not a number"):
        decoder.step()
