"""Streams: several documents in one row, through any family whose attention goes by transformers' interface.

A family is used with streams only after :func:`streams_are_exact` has seen, on the very model, that what stands in one
document changes nothing in the next, and that a document gives the same in a stream as alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from tuneloop.models.kernels.attention import Documents, attend
from tuneloop.models.layers import vocabulary_size

NAME = "documents"
"""How transformers calls this attention."""
ROUNDING = 1e-6
"""How far, as a share, what a document gives may move in fp32 when the one before it changes."""
_still: WeakKeyDictionary[nn.Module, bool] = WeakKeyDictionary()
"""Models that take streams, and whether they draw nothing at random for a token while they learn."""
_stream: ContextVar[Documents | None] = ContextVar("stream", default=None)


class NotPackable(RuntimeError):
    """A model's attention cannot be kept within documents."""


def take_streams(model: nn.Module, *, still: bool = False) -> None:
    """Let a model's attention understand streams; without one it goes on as before.

    Args:
        model: A model of transformers, or a PEFT model around one.
        still: Whether the model draws nothing at random for a token while it learns, so that prefixes can be shared
            then too.

    Raises:
        NotPackable: The family has an attention of its own that cannot be replaced.
    """
    from transformers import AttentionInterface, AttentionMaskInterface

    AttentionInterface.register(NAME, _attention)
    AttentionMaskInterface.register(NAME, _mask)
    inner = _inner(model)
    if inner.config._attn_implementation not in ("sdpa", NAME):
        raise NotPackable(f"its attention is {inner.config._attn_implementation}")
    inner.set_attn_implementation(NAME)
    _still[inner] = still


def leave_streams(model: nn.Module) -> None:
    """Give a model its usual attention back."""
    inner = _inner(model)
    inner.set_attn_implementation("sdpa")
    _still.pop(inner, None)


def shares_prefixes(model: nn.Module, ends: tuple[int, ...]) -> bool:
    """Whether what sequences of a stream begin with may be read once: nothing random is drawn for a token."""
    inner = _inner(model)
    return len(ends) > 1 and inner in _still and (not model.training or _still[inner])


@contextmanager
def reading(documents: Documents | None) -> Iterator[None]:
    """Within it, one row of tokens is a stream of these documents."""
    token = _stream.set(documents)
    try:
        yield
    finally:
        _stream.reset(token)


def current() -> Documents | None:
    """The documents of the stream that a model is reading; None while it reads rows."""
    return _stream.get()


def _mask(**told: Any) -> Tensor | None:
    """In a stream only the size of a sliding window, ``(1, 1, 1, 1)``; the documents themselves mask all else."""
    from transformers.masking_utils import sdpa_mask

    if _stream.get() is None:
        usual: Tensor | None = sdpa_mask(**told)
        return usual
    if getattr(told["config"], "attention_chunk_size", None) is not None:
        raise NotPackable("its attention goes by chunks of the whole row")
    size = told.get("local_size")
    return None if size is None else torch.full((1, 1, 1, 1), size)


def _attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    documents: Documents | None = None,
    **told: Any,
) -> tuple[Tensor, None]:
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    if documents is None:
        if _stream.get() is not None:
            raise NotPackable("it does not tell its attention where documents end")
        usual: tuple[Tensor, None] = sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **told
        )
        return usual
    for name in ("softcap", "s_aux", "position_bias"):
        if told.get(name) is not None:
            raise NotPackable(f"its attention has {name}")
    if not getattr(module, "is_causal", True):
        raise NotPackable("its attention is not causal")
    if attention_mask is not None and attention_mask.numel() != 1:
        raise NotPackable("its attention has a mask of its own")
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    window = None if attention_mask is None else int(attention_mask)
    return attend(query, key, value, documents, scale=scale, window=window, dropout=dropout), None


@torch.no_grad()
def streams_are_exact(model: nn.Module) -> str:
    """Try documents in one stream against each alone, and a stream whose documents begin alike.

    Args:
        model: A model that takes streams.

    Returns:
        Why streams are not exact for this model; empty if they are.
    """
    device = next(model.parameters()).device
    rows = vocabulary_size(_inner(model))
    first = torch.arange(3, 15, device=device) % rows
    second = torch.arange(40, 30, -1, device=device) % rows
    third = torch.cat((second[:9], first[:4]))
    training = model.training
    model.eval()
    try:
        alone = _last(model, (second,), 10)
        together, beside = _last(model, (first, second), 10), _last(model, (first.flip(0), second), 10)
        tree, branch = _last(model, (second, first, third), 4), _last(model, (third,), 4)
    except NotPackable as reason:
        return str(reason)
    except (TypeError, RuntimeError, ValueError) as error:
        return f"it cannot read a stream: {str(error).splitlines()[0]}"
    finally:
        model.train(training)
    exact = next(model.parameters()).dtype == torch.float32
    # experts multiply the tokens of all documents at once, which rounds otherwise in other company
    if (together - beside).abs().max() > (ROUNDING if exact else 0) * together.abs().max():
        return "a document sees the one before it"
    close = 1e-4 if exact else 5e-2
    for one, other in ((together, alone), (tree, branch)):
        if (one - other).abs().max() > close * other.abs().max():
            return "a document gives something else in a stream than alone"
    return ""


def follows_the_longest(model: Any, longest: int) -> bool:
    """Whether a row of so many tokens changes how shorter rows beside it are read.

    Rotary positions of the kinds ``longrope`` and ``dynamic`` take other frequencies for the whole batch as soon as one
    row of it is longer than the context that the model was first trained with.

    Args:
        model: A model of transformers, or a PEFT model around one.
        longest: Tokens of the longest row.
    """
    config = _inner(model).config.get_text_config()
    given = getattr(config, "rope_parameters", None) or {}
    kinds = given.values() if all(isinstance(kind, dict) for kind in given.values()) else [given]
    for kind in kinds:
        first: Any = kind.get("original_max_position_embeddings") or getattr(config, "max_position_embeddings", longest)
        if kind.get("rope_type") in ("longrope", "dynamic") and longest > int(first):
            return True
    return False


@torch.no_grad()
def is_still(model: nn.Module) -> bool:
    """Whether a model that learns draws no random number: no dropout, no noise. Tried, not read off.

    What is drawn is looked at, not what comes of it: beside the zeros of a new adapter, dropout changes nothing yet.
    """
    device = next(model.parameters()).device

    def state() -> Tensor:
        return torch.cuda.get_rng_state(device) if device.type == "cuda" else torch.get_rng_state()

    training = model.training
    model.train()
    try:
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            before = state()
            _last(model, (torch.arange(1, 9, device=device),), 8)
            return torch.equal(before, state())
    finally:
        model.train(training)


def _last(model: nn.Module, parts: tuple[Tensor, ...], count: int) -> Tensor:
    """Hidden states of the last tokens of some documents in one stream."""
    from tuneloop.models.logits import hidden_at

    ids = torch.cat(parts)[None]
    where = torch.zeros_like(ids, dtype=torch.bool)
    where[:, -count:] = True
    ends = tuple(torch.tensor([len(part) for part in parts]).cumsum(0).tolist())
    return hidden_at(model, ids, where, ends).float()


def _inner(model: Any) -> Any:
    return model.get_base_model() if hasattr(model, "get_base_model") else model
