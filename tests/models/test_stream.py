"""Streams: rows that stand one after the other, and beginnings that are read once, give what each row gives alone."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.models.test_kernels import model
from torch import nn

from tuneloop.models.logits import token_losses
from tuneloop.models.prefixes import shared
from tuneloop.models.stream import (
    NotPackable,
    follows_the_longest,
    is_still,
    leave_streams,
    streams_are_exact,
    take_streams,
)
from tuneloop.tasks import Tokens, packed, padded

ROWS = [
    Tokens((3, 4, 5, 6, 7, 8, 9, 10, 11, 12), (0, 0, 1, 1, 1, 1, 1, 1, 1, 1)),
    Tokens((3, 4, 5, 6, 7, 8, 9, 10, 13), (0, 0, 0, 0, 0, 0, 1, 1, 1)),
    Tokens((20, 21, 22), (0, 1, 1)),
    Tokens((3, 4, 5, 6, 7, 8, 9, 10), (0, 0, 0, 0, 0, 1, 1, 1)),
    Tokens((20, 21, 22), (0, 0, 1)),
]


def losses_and_gradients(model: nn.Module, *, stream: bool) -> list[torch.Tensor]:
    batch = packed(ROWS) if stream else padded(ROWS, 0)
    model.zero_grad()
    losses = token_losses(model, batch.ids, batch.labels, batch.ends)
    (losses * torch.linspace(0.5, 1.5, len(losses))).sum().backward()
    return [losses.detach(), *(weight.grad.clone() for weight in model.parameters() if weight.grad is not None)]


@pytest.mark.parametrize("still", [False, True])
@pytest.mark.parametrize("family", ["Llama", "Qwen3", "Mistral"])
def test_a_stream_has_the_losses_and_gradients_of_its_rows(family: str, still: bool) -> None:
    network = model(family, **({"sliding_window": 4} if family == "Mistral" else {})).train()
    rows = losses_and_gradients(network, stream=False)
    take_streams(network, still=still)
    assert streams_are_exact(network) == ""
    for one, other in zip(losses_and_gradients(network, stream=True), rows, strict=True):
        assert (one - other).abs().max() <= 2e-6 * max(1.0, other.abs().max())


def test_what_rows_begin_with_is_read_once() -> None:
    network = model("Llama").train()
    read: list[int] = []
    network.model.embed_tokens.register_forward_hook(lambda _, inputs, __: read.append(inputs[0].numel()))
    for still in (False, True):
        take_streams(network, still=still)
        losses_and_gradients(network, stream=True)
    network.eval()
    losses_and_gradients(network, stream=True)
    every = sum(len(row.ids) for row in ROWS)
    assert read[1:] == [every, every - 8 - 8 - 3, every - 8 - 8 - 3]  # the first is a look at the head


def test_a_model_with_dropout_is_not_still_and_keeps_its_draws() -> None:
    network = model("Llama", attention_dropout=0.5)
    take_streams(network)
    torch.manual_seed(4)
    before = torch.random.get_rng_state()
    assert not is_still(network)
    assert torch.equal(before, torch.random.get_rng_state())
    assert is_still(model("Llama"))


def test_rows_are_read_as_before_once_streams_are_taken() -> None:
    network = model("Qwen2").eval()
    ids = torch.randint(1, 50, (2, 9))
    mask = torch.ones_like(ids)
    mask[0, :4] = 0
    before = network(input_ids=ids, attention_mask=mask).logits
    take_streams(network)
    torch.testing.assert_close(network(input_ids=ids, attention_mask=mask).logits, before)
    generated = network.generate(ids[1:], max_new_tokens=5, do_sample=False, eos_token_id=None)
    leave_streams(network)
    assert (
        generated.tolist() == network.generate(ids[1:], max_new_tokens=5, do_sample=False, eos_token_id=None).tolist()
    )


def made(config: Any, kind: str) -> nn.Module:
    torch.manual_seed(0)
    network: nn.Module = getattr(transformers, kind)(config)
    return network


def test_a_state_that_flows_through_the_whole_row_is_found() -> None:
    config = transformers.FalconH1Config(
        vocab_size=60, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, head_dim=8, mamba_d_ssm=32, mamba_n_heads=4, mamba_d_head=8, mamba_d_state=8,
    )  # fmt: skip
    network = made(config, "FalconH1ForCausalLM")
    take_streams(network)
    assert streams_are_exact(network) == "a document sees the one before it"


def test_an_attention_of_its_own_is_refused() -> None:
    with pytest.raises(NotPackable, match="eager"):
        take_streams(
            made(transformers.BloomConfig(vocab_size=60, hidden_size=32, n_layer=1, n_head=4), "BloomForCausalLM")
        )


@settings(max_examples=200, deadline=None)
@given(
    rows=st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=9), min_size=1, max_size=7),
    least=st.integers(1, 5),
)
def test_a_tree_of_prefixes_holds_every_row(rows: list[list[int]], least: int) -> None:
    flat = [token for row in rows for token in row]
    ends = tuple(torch.tensor([len(row) for row in rows]).cumsum(0).tolist())
    found = shared(torch.tensor([flat]), ends, least=least)
    if found is None:
        assert all(_common(one, other) < least for i, one in enumerate(rows) for other in rows[:i])
        return
    assert found.ids.shape[1] < len(flat)
    assert found.ids[0][found.places].tolist() == flat
    paths = found.documents.paths
    seen = {place: path for path in paths for place in range(*path[-1])}
    positions = found.documents.positions(torch.device("cpu"))[0]
    for row, end in zip(rows, ends, strict=True):
        places = found.places[end - len(row) : end].tolist()
        assert positions[places].tolist() == list(range(len(row)))
        path = [place for first, last in seen[places[-1]] for place in range(first, last)]
        assert path[: len(row)] == places  # the last token sees exactly its own row


def _common(one: list[int], other: list[int]) -> int:
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def test_a_long_row_that_changes_its_neighbours_is_known() -> None:
    """Phi-3's long positions: the reason for reading such rows one by one."""
    rope = {"rope_type": "longrope", "rope_theta": 1e4, "short_factor": [1.0] * 2, "long_factor": [9.0] * 2}
    config = transformers.Phi3Config(
        vocab_size=50, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=64, original_max_position_embeddings=16, pad_token_id=0,
        rope_parameters=rope | {"original_max_position_embeddings": 16},
    )  # fmt: skip
    network = made(config, "Phi3ForCausalLM")
    assert [follows_the_longest(network, length) for length in (16, 17)] == [False, True]
    assert not follows_the_longest(model("Llama"), 100_000)
    short, long = Tokens(tuple(range(3, 12)), (0,) + (1,) * 8), Tokens((5,) * 30, (0,) * 30)
    alone, beside = (padded(rows, 0) for rows in ([short], [short, long]))
    with torch.no_grad():
        change = token_losses(network, alone.ids, alone.labels) - token_losses(network, beside.ids, beside.labels)
    assert change.abs().max() > 1e-4
