"""Prefixes: what several sequences of a stream begin with is read once.

Causal attention makes a token's state depend on nothing but the tokens before it, so a system prompt, a template's
preamble, or the question before a chosen and a rejected answer gives the same states in every sequence that begins with
it. The sequences of a stream are laid out as a tree of their prefixes; the result is that of the plain stream, up to
rounding, as long as nothing random is drawn per token (dropout, noise).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tuneloop.models.kernels.attention import Documents

LEAST = 8
"""Tokens of the shortest prefix that is worth being read once: every part of a stream costs some calls."""


@dataclass(frozen=True)
class Shared:
    """A stream in which every prefix stands once.

    Attributes:
        ids: Token ids, ``(1, tokens read)``, int64.
        documents: Its parts, and which of them goes on from which.
        places: Where each token of the plain stream stands in it, ``(tokens,)``, int64.
    """

    ids: Tensor
    documents: Documents
    places: Tensor


def shared(ids: Tensor, ends: tuple[int, ...], *, least: int = LEAST) -> Shared | None:
    """Lay a stream out so that what several of its sequences begin with stands in it once.

    Args:
        ids: Token ids of a packed stream, ``(1, tokens)``, int64.
        ends: Where its sequences end.
        least: Tokens of the shortest prefix that is shared.

    Returns:
        The shorter stream; None if there is nothing to share.

    Example:
        >>> ids = torch.tensor([[7, 7, 7, 1, 2, 7, 7, 7, 3]])
        >>> found = shared(ids, (5, 9), least=3)
        >>> found.ids.tolist(), found.documents.parents, found.places.tolist()
        ([[7, 7, 7, 1, 2, 3]], (-1, 0, 0), [0, 1, 2, 3, 4, 0, 1, 2, 5])
    """
    flat = ids[0].tolist()
    starts = (0, *ends[:-1])
    tree = _Tree([flat[start:end] for start, end in zip(starts, ends, strict=True)], least)
    tree.grow(sorted(range(len(ends)), key=tree.sequences.__getitem__), 0, -1)
    if len(tree.tokens) == len(flat):
        return None
    places = torch.tensor([place for sequence in tree.places for place in sequence], device=ids.device)
    documents = Documents(tuple(tree.ends), tuple(tree.parents))
    return Shared(torch.tensor([tree.tokens], device=ids.device), documents, places)


class _Tree:
    """The prefixes of some sequences, each written once."""

    def __init__(self, sequences: list[list[int]], least: int) -> None:
        self.sequences = sequences
        self.least = least
        self.tokens: list[int] = []
        self.ends: list[int] = []
        self.parents: list[int] = []
        self.places: list[list[int]] = [[] for _ in sequences]

    def grow(self, group: list[int], depth: int, parent: int) -> None:
        """Write sequences, in sorted order, that have their first ``depth`` tokens in common and written."""
        first, last = self.sequences[group[0]], self.sequences[group[-1]]
        common = _common(first, last)  # of the whole group, since it is sorted
        if common > depth and (common - depth >= self.least or common == len(last) or len(group) == 1):
            parent = self._write(group, depth, common, parent)
            depth = common
        begin = 0
        while begin < len(group):
            sequence = self.sequences[group[begin]]
            end = begin + 1
            if len(sequence) > common:
                while end < len(group) and self.sequences[group[end]][common] == sequence[common]:
                    end += 1
                self.grow(group[begin:end], depth, parent)
            elif len(sequence) > depth:
                self._write(group[begin:end], depth, len(sequence), parent)
            begin = end

    def _write(self, group: list[int], start: int, end: int, parent: int) -> int:
        at = len(self.tokens)
        self.tokens += self.sequences[group[0]][start:end]
        self.ends.append(len(self.tokens))
        self.parents.append(parent)
        for member in group:
            self.places[member] += range(at, len(self.tokens))
        return len(self.ends) - 1


def _common(first: list[int], last: list[int]) -> int:
    """How many tokens two sequences begin with alike."""
    length = 0
    for one, other in zip(first, last, strict=False):
        if one != other:
            break
        length += 1
    return length
