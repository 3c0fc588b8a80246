"""Causal attention over documents that stand one after the other in one stream; none sees its neighbours."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx

ROWS = 128
"""Queries of a tile: what lies above the diagonal beyond them is never computed."""
KEPT = 256
"""Keys up to which the probabilities are kept for the backward pass; with more they are computed again there."""


@dataclass(frozen=True)
class Documents:
    """Where the documents of a stream end, and which of them go on where another one ends.

    Attributes:
        ends: Position after the last token of each document.
        parents: For each document the one that it continues, -1 for none; a parent stands before its children. Empty
            if none continues another.
    """

    ends: tuple[int, ...]
    parents: tuple[int, ...] = ()

    @functools.cached_property
    def paths(self) -> tuple[tuple[tuple[int, int], ...], ...]:
        """What each document sees at its end: parts of the stream, first and last position, the oldest part first."""
        paths: list[tuple[tuple[int, int], ...]] = []
        start = 0
        for index, end in enumerate(self.ends):
            above = self.parents[index] if self.parents else -1
            paths.append((*(paths[above] if above >= 0 else ()), (start, end)))
            start = end
        return tuple(paths)

    @property
    def longest(self) -> int:
        """Tokens that the last token of any document sees at most."""
        return max(_width(path) for path in self.paths)

    def positions(self, device: torch.device) -> Tensor:
        """Place of each token among those that it sees, ``(1, tokens)``, int64."""
        before = [_width(path[:-1]) for path in self.paths]
        own = [path[-1][1] - path[-1][0] for path in self.paths]
        return torch.cat([torch.arange(a, a + n) for a, n in zip(before, own, strict=True)])[None].to(device)

    def lengths(self, device: torch.device) -> Tensor:
        """Tokens of the document that each token stands in, ``(tokens,)``, int64."""
        each = torch.tensor([path[-1][1] - path[-1][0] for path in self.paths])
        return each.repeat_interleave(each).to(device)


def _width(path: tuple[tuple[int, int], ...]) -> int:
    return sum(last - first for first, last in path)


def attend(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    documents: Documents,
    *,
    scale: float,
    window: int | None = None,
    dropout: float = 0.0,
) -> Tensor:
    """Attend within documents only.

    Args:
        q: Queries, ``(1, heads, tokens, size)``.
        k: Keys, ``(1, groups, tokens, size)``; ``groups`` divides ``heads``.
        v: Values, ``(1, groups, tokens, value size)``.
        documents: Where they end.
        scale: What the products are multiplied with before the softmax.
        window: How many tokens back a token sees, itself included; None sees all.
        dropout: Share of the probabilities that is set to zero.

    Returns:
        ``(1, tokens, heads, value size)``, as transformers wants it.

    Source:
        ``softmax(scale * q k^T) v``, Vaswani et al., Attention Is All You Need, 2017, equation 1.
    """
    if window is not None and window >= documents.longest:
        window = None
    mixed = not q.is_meta and torch.is_autocast_enabled(q.device.type)
    q, k, v = (x.to(torch.get_autocast_dtype(q.device.type) if mixed else v.dtype) for x in (q, k, v))
    if dropout:
        return _with_dropout(q, k, v, documents, scale, window, dropout)
    if q.is_cuda and q.dtype in (torch.bfloat16, torch.float16):
        return _flash(q, k, v, documents, scale, window)
    out: Tensor = _Attention.apply(q, k, v, documents, scale, window)  # type: ignore[no-untyped-call]
    return out


def _flash(q: Tensor, k: Tensor, v: Tensor, documents: Documents, scale: float, window: int | None) -> Tensor:
    from torch.nn.attention.varlen import varlen_attn

    queries, keys, values = (tensor[0].transpose(0, 1).contiguous() for tensor in (q, k, v))
    starts, key_starts, gathered = _varlen(documents, q.device)
    if gathered is not None:
        keys, values = keys.index_select(0, gathered), values.index_select(0, gathered)
    told: dict[str, Any] = {"scale": scale, "window_size": (-1 if window is None else window - 1, 0)}
    if q.shape[1] != k.shape[1]:
        told["enable_gqa"] = True
    widest = max(path[-1][1] - path[-1][0] for path in documents.paths)
    out = varlen_attn(queries, keys, values, starts, key_starts, widest, documents.longest, **told)
    return torch.as_tensor(out)[None]


@functools.lru_cache(maxsize=8)
def _varlen(documents: Documents, device: torch.device) -> tuple[Tensor, Tensor, Tensor | None]:
    """Where each document's queries begin, where its keys begin, and which keys these are (None: all, in order)."""
    starts = torch.tensor((0, *documents.ends), dtype=torch.int32, device=device)
    if not documents.parents:
        return starts, starts, None
    paths = documents.paths
    widths = torch.tensor([0, *(_width(path) for path in paths)])
    gathered = torch.cat([torch.arange(first, last) for path in paths for first, last in path])
    return starts, widths.cumsum(0).to(device, torch.int32), gathered.to(device)


class _Tile:
    """Queries ``first`` to ``last`` of the stream, with the spans of it that they see, the oldest first.

    What is taken of ``(tokens, heads, size)`` comes as ``(groups, heads / groups * rows, size)``; what is seen of
    ``(tokens, groups, size)`` as ``(groups, columns, size)``.
    """

    def __init__(self, first: int, last: int, spans: tuple[tuple[int, int], ...]) -> None:
        self.first, self.last, self.spans = first, last, spans
        self.rows, self.columns = last - first, _width(spans)

    def take(self, x: Tensor, groups: int) -> Tensor:
        """The queries' rows of ``x``."""
        rows = x[self.first : self.last].view(self.rows, groups, -1, x.shape[2])
        return rows.permute(1, 2, 0, 3).reshape(groups, -1, x.shape[2])

    def put(self, x: Tensor, rows: Tensor) -> None:
        """Write the queries' rows of ``x``."""
        x[self.first : self.last] = rows.view(x.shape[1], self.rows, -1).transpose(0, 1)

    def see(self, x: Tensor) -> Tensor:
        """What the queries see of ``x``."""
        parts = [x[first:last] for first, last in self.spans]
        return (parts[0] if len(parts) == 1 else torch.cat(parts)).transpose(0, 1)

    def give(self, x: Tensor, seen: Tensor) -> None:
        """Add to what the queries see of ``x``."""
        at = 0
        for first, last in self.spans:
            x[first:last] += seen[:, at : at + last - first].transpose(0, 1)
            at += last - first


@functools.lru_cache(maxsize=64)
def _tiles(documents: Documents, window: int | None) -> tuple[_Tile, ...]:
    tiles = []
    for path in documents.paths:
        start, end = path[-1]
        for first in range(start, end, ROWS):
            last = min(first + ROWS, end)
            spans = (*path[:-1], (start, last))
            tiles.append(_Tile(first, last, spans if window is None else _newest(spans, last - first + window - 1)))
    return tuple(tiles)


def _newest(spans: tuple[tuple[int, int], ...], columns: int) -> tuple[tuple[int, int], ...]:
    """The last columns of some spans."""
    kept: list[tuple[int, int]] = []
    for first, last in reversed(spans):
        if columns <= 0:
            break
        kept.append((max(first, last - columns), last))
        columns -= last - first
    return tuple(reversed(kept))


@functools.lru_cache(maxsize=32)
def _hidden(rows: int, columns: int, window: int | None, dtype: torch.dtype, device: torch.device) -> Tensor:
    """-inf where a query may not look, else 0, ``(rows, columns)``; the last query stands at the last column."""
    query = torch.arange(columns - rows, columns, device=device)[:, None]
    key = torch.arange(columns, device=device)[None]
    hidden = key > query
    if window is not None:
        hidden |= key <= query - window
    return torch.zeros(rows, columns, dtype=dtype, device=device).masked_fill_(hidden, float("-inf"))


def _chances(queries: Tensor, keys: Tensor, tile: _Tile, window: int | None) -> Tensor:
    """What each query takes from each key, ``(groups, repeats * rows, columns)``, in the queries' dtype.

    Args:
        queries: Scaled, ``(groups, repeats * rows, size)``.
        keys: ``(groups, columns, size)``.
        tile: Which part of the stream it is.
        window: How many tokens back a token sees.
    """
    scores = torch.bmm(queries, keys.transpose(1, 2))
    by_row = scores.view(len(scores), -1, tile.rows, tile.columns)
    if window is None:  # only the last columns can lie ahead of a query
        by_row[..., tile.columns - tile.rows :] += _hidden(tile.rows, tile.rows, None, scores.dtype, scores.device)
    else:
        by_row += _hidden(tile.rows, tile.columns, window, scores.dtype, scores.device)
    return torch.softmax(scores.float(), -1).to(scores.dtype)  # in bfloat16 the CPU's softmax is half as fast


def _flat(x: Tensor) -> Tensor:
    """``(1, heads, tokens, size)`` as ``(tokens, heads, size)``, one token after the other in memory."""
    return x[0].transpose(0, 1).contiguous()


class _Attention(torch.autograd.Function):
    """Tile by tile, with plain matrix products: on a CPU several times faster than its fused kernel on short rows."""

    @staticmethod
    def forward(
        ctx: FunctionCtx, q: Tensor, k: Tensor, v: Tensor, documents: Documents, scale: float, window: int | None
    ) -> Tensor:
        scaled, keys, values = _flat(q * scale), _flat(k), _flat(v)
        out = q.new_empty(q.shape[2], q.shape[1], v.shape[3])
        kept = []
        for tile in _tiles(documents, window):
            chances = _chances(tile.take(scaled, k.shape[1]), tile.see(keys), tile, window)
            tile.put(out, torch.bmm(chances, tile.see(values)))
            if tile.columns <= KEPT:
                kept.append(chances)
        ctx.save_for_backward(scaled, keys, values, *kept)
        ctx.layout = documents, scale, window  # type: ignore[attr-defined]
        return out[None]

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v, *kept = ctx.saved_tensors
        documents, scale, window = ctx.layout
        groups, saved = k.shape[1], iter(kept)
        tiles = _tiles(documents, window)
        once = len(tiles) == len(documents.ends) and not documents.parents
        summed = q.dtype if once else torch.float32  # a key that several tiles see sums up their gradients
        dq = torch.empty_like(q)
        dk, dv = (torch.zeros_like(x, dtype=summed) for x in (k, v))
        given = gradient[0].to(q.dtype).contiguous()
        for tile in tiles:
            queries, keys, slopes = tile.take(q, groups), tile.see(k), tile.take(given, groups)
            chances = next(saved) if tile.columns <= KEPT else _chances(queries, keys, tile, window)
            tile.give(dv, torch.bmm(chances.transpose(1, 2), slopes))
            wanted = torch.bmm(slopes, tile.see(v).transpose(1, 2))
            wanted = torch._softmax_backward_data(wanted, chances, -1, q.dtype)
            tile.put(dq, torch.bmm(wanted, keys))
            tile.give(dk, torch.bmm(wanted.transpose(1, 2), queries))
        shaped = (x.transpose(0, 1)[None] for x in (dq.mul_(scale), dk.to(k.dtype), dv.to(v.dtype)))
        return (*shaped, None, None, None)


def _with_dropout(
    q: Tensor, k: Tensor, v: Tensor, documents: Documents, scale: float, window: int | None, dropout: float
) -> Tensor:
    scaled, keys, values = _flat(q * scale), _flat(k), _flat(v)
    out = q.new_empty(q.shape[2], q.shape[1], v.shape[3])
    for tile in _tiles(documents, window):
        chances = _chances(tile.take(scaled, k.shape[1]), tile.see(keys), tile, window)
        tile.put(out, torch.bmm(nn.functional.dropout(chances, dropout), tile.see(values)))
    return out[None]
