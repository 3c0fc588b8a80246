"""Continuous batching over any causal language model of transformers: rows join and leave between two steps.

The running batch is one key-value cache with a row per request. All rows end at the same column, so
that one step appends one column; shorter rows are padded on the left, where the attention mask is 0::

    row 0   . . . . a b c d | e
    row 1   . . p q r s t u | v          . padding (mask 0)     | the column of this step
    row 2   A B C D E F G H | I

A step is one forward pass. It either reads the prompts that wait (prefill) and lays their cache
beside the running one, or adds one token to every running row (decode). A row's result does not
depend on its neighbours: padding is never attended to, positions count from the row's own start, and
every sampled row draws from its own generator.
"""

from __future__ import annotations

import inspect
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import DynamicCache
from transformers.cache_utils import DummyLayer, DynamicLayer, DynamicSlidingWindowLayer

from tuneloop.errors import ModelError

PREFILL_TOKENS = 4096


@dataclass(frozen=True)
class Sampling:
    """How the next token is chosen from the model's distribution.

    Attributes:
        temperature: 0 takes the likeliest token; otherwise logits are divided by it.
        top_k: Only the so many likeliest tokens are candidates; 0 leaves all.
        top_p: Only the likeliest tokens that together have this probability are candidates.
        seed: Seed of the row's own generator; None takes a new one each time.
    """

    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 1.0
    seed: int | None = None


@dataclass(eq=False)
class _Row:
    ticket: int
    prompt: Sequence[int]
    sampling: Sampling
    random: torch.Generator | None
    length: int = 0  # tokens in the cache
    last: int = 0  # the newest token, not in the cache yet
    gone: bool = False


class Decoder:
    """Extends many token sequences at once, a token each per step.

    Args:
        model: A causal language model of transformers (a PEFT model too), in eval mode.
        batch: Rows that run together at most; further ones wait.

    Raises:
        ModelError: The model keeps another state than keys and values (Mamba, linear attention).
    """

    def __init__(self, model: nn.Module, batch: int) -> None:
        self._model = model
        self._batch = batch
        self._device = next(model.parameters()).device
        self._accepts = _parameters(model)
        _only_attention(model, self._accepts)
        self._known: dict[int, _Row] = {}  # by ticket: those that wait and those that run
        self._waiting: deque[_Row] = deque()
        self._rows: list[_Row] = []
        self._cache: Any = None
        self._mask = torch.zeros(0, 0, dtype=torch.long, device=self._device)  # (rows, columns), 1 for tokens
        self._tickets = 0

    def add(self, prompt: Sequence[int], sampling: Sampling) -> int:
        """Put a prompt in the queue.

        Args:
            prompt: Token ids, at least one.
            sampling: How its tokens are chosen.

        Returns:
            The ticket under which its tokens come out of :meth:`step`.
        """
        self._tickets += 1
        row = _Row(self._tickets, prompt, sampling, _generator(sampling))
        self._known[row.ticket] = row
        self._waiting.append(row)
        return row.ticket

    def remove(self, ticket: int) -> None:
        """Take a row out, running or waiting; its place is free from the next step on. Unknown tickets are let be."""
        row = self._known.pop(ticket, None)
        if row is not None:
            row.gone = True

    @property
    def idle(self) -> bool:
        """Whether no row runs or waits."""
        return not self._known

    @torch.inference_mode()
    def step(self) -> list[tuple[int, int]]:
        """Run the model once.

        Returns:
            Ticket and next token of every row that got one; empty when idle.

        Raises:
            ModelError: The model's output is not a number (damaged weights, overflow).
        """
        self._drop_gone()
        fresh = self._admitted()
        if fresh:
            rows, logits = fresh, self._prefill(fresh)
        elif self._rows:
            rows, logits = self._rows, self._decode()
        else:
            return []
        for row, token in zip(rows, self._choose(rows, logits), strict=True):
            row.last = token
        return [(row.ticket, row.last) for row in rows]

    def _drop_gone(self) -> None:
        """Cut the rows that left out of the cache, and the columns that only they used."""
        kept = [index for index, row in enumerate(self._rows) if not row.gone]
        if len(kept) == len(self._rows):
            return
        self._rows = [self._rows[index] for index in kept]
        if not kept:
            self._cache = None
            return
        width = max(row.length for row in self._rows)
        self._mask = self._mask[kept, -width:]
        for layer in self._cache.layers:
            layer.keys = layer.keys[kept, :, -width:]
            layer.values = layer.values[kept, :, -width:]

    def _admitted(self) -> list[_Row]:
        """The waiting rows that are read now: as many as there is room for, within a budget of padded tokens."""
        rows: list[_Row] = []
        longest = 0
        while self._waiting and len(self._rows) + len(rows) < self._batch:
            if self._waiting[0].gone:
                self._waiting.popleft()
                continue
            longest = max(longest, len(self._waiting[0].prompt))
            if rows and longest * (len(rows) + 1) > PREFILL_TOKENS:
                break
            rows.append(self._waiting.popleft())
        return rows

    def _prefill(self, rows: list[_Row]) -> Tensor:
        """Read prompts, and lay their cache beside the running one; returns logits ``(rows, vocabulary)``."""
        width = max(len(row.prompt) for row in rows)
        ids = torch.zeros(len(rows), width, dtype=torch.long)
        mask = torch.zeros(len(rows), width, dtype=torch.long)
        for index, row in enumerate(rows):
            ids[index, width - len(row.prompt) :] = torch.tensor(row.prompt)
            mask[index, width - len(row.prompt) :] = 1
            row.length = len(row.prompt)
        positions = (mask.cumsum(-1) - 1).clamp(min=0)
        cache = DynamicCache()  # without a configuration every layer keeps all columns, sliding windows are masked
        mask = mask.to(self._device)
        logits = self._forward(ids, mask, positions, cache)
        self._join(rows, mask, cache)
        return logits

    def _join(self, rows: list[_Row], mask: Tensor, cache: Any) -> None:
        if not self._rows:
            self._rows, self._mask, self._cache = list(rows), mask, cache
            return
        width = max(self._mask.shape[1], mask.shape[1])
        self._mask = torch.cat([_widened(self._mask, width, 1), _widened(mask, width, 1)])
        for old, new in zip(self._cache.layers, cache.layers, strict=True):
            old.keys = torch.cat([_widened(old.keys, width, 2), _widened(new.keys, width, 2)])
            old.values = torch.cat([_widened(old.values, width, 2), _widened(new.values, width, 2)])
        self._rows = [*self._rows, *rows]

    def _decode(self) -> Tensor:
        """Feed every row its newest token; returns logits ``(rows, vocabulary)``."""
        ids = torch.tensor([[row.last] for row in self._rows])
        positions = torch.tensor([[row.length] for row in self._rows])
        self._mask = F.pad(self._mask, (0, 1), value=1)
        for row in self._rows:
            row.length += 1
        return self._forward(ids, self._mask, positions, self._cache)

    def _forward(self, ids: Tensor, mask: Tensor, positions: Tensor, cache: Any) -> Tensor:
        known = {"position_ids": positions.to(self._device), "logits_to_keep": 1}
        extra = {name: value for name, value in known.items() if name in self._accepts}
        out = self._model(
            input_ids=ids.to(self._device), attention_mask=mask, past_key_values=cache, use_cache=True, **extra
        )
        logits: Tensor = out.logits[:, -1]
        return logits

    def _choose(self, rows: list[_Row], logits: Tensor) -> list[int]:
        best, indices = logits.max(dim=-1)
        if best.isnan().any():
            raise ModelError(
                "the model's output is not a number",
                where=type(self._model).__name__,
                fix="check its weights for NaN; train again with a lower learning rate, or serve it in fp32",
            )
        tokens: list[int] = indices.tolist()
        for index, row in enumerate(rows):
            if row.random is not None:
                tokens[index] = _sample(logits[index], row.sampling, row.random)
        return tokens


def _sample(logits: Tensor, how: Sampling, random: torch.Generator) -> int:
    """Draw one token from logits ``(vocabulary,)``: temperature, top-k, top-p, in the order of transformers."""
    logits = logits.double().cpu()
    if how.top_k == 0 and how.top_p >= 1:
        weights = ((logits - logits.max()) / how.temperature).softmax(-1)
        return int(torch.multinomial(weights, 1, generator=random))
    values, order = logits.topk(min(how.top_k or len(logits), len(logits)))
    weights = ((values - values[0]) / how.temperature).softmax(-1)
    before = weights.cumsum(-1) - weights  # probability of all likelier tokens
    weights[1:][before[1:] >= how.top_p] = 0.0  # the likeliest always stays
    return int(order[torch.multinomial(weights, 1, generator=random)])


def _generator(sampling: Sampling) -> torch.Generator | None:
    if sampling.temperature == 0:
        return None
    random = torch.Generator()
    if sampling.seed is None:
        random.seed()
    else:
        random.manual_seed(sampling.seed)
    return random


def _widened(tensor: Tensor, width: int, axis: int) -> Tensor:
    """Pad with zeros on the left of one axis until it has the width."""
    missing = width - tensor.shape[axis]
    if not missing:
        return tensor
    pad = [0, 0] * (tensor.dim() - 1 - axis) + [missing, 0]
    return F.pad(tensor, pad)


def _only_attention(model: Any, accepts: set[str]) -> None:
    """Refuse a state that cannot be padded on the left: it would be carried along, and answers silently wrong."""
    kinds = [type(layer) for layer in DynamicCache(config=model.config).layers]
    other = {kind.__name__ for kind in kinds if kind not in (DynamicLayer, DynamicSlidingWindowLayer, DummyLayer)}
    if other or "past_key_values" not in accepts:
        raise ModelError(
            f"the model does not remember by attention alone ({', '.join(sorted(other)) or 'no key-value cache'})",
            where=type(model).__name__,
            fix="choose a base whose layers are all attention; state-space and linear attention are not supported yet",
        )


def _parameters(model: nn.Module) -> set[str]:
    plain: Any = model.get_base_model() if hasattr(model, "get_base_model") else model  # type: ignore[operator]
    return set(inspect.signature(plain.forward).parameters)
