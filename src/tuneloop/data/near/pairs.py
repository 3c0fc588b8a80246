"""Pairs: which of many texts are near each other.

What is promised: every pair given was compared exactly on the shingles of both texts, so none is wrong. A pair is
missed with the probability that :func:`tuneloop.data.near.bands.found` states for its similarity: at most 2 % for a
pair just alike enough, next to none above. Equal input gives equal pairs in equal order, whatever the machine.
Memory is about 200 bytes a text at the default similarity; the tokens lie on disk.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from tuneloop.data.near.bands import Keys, keys
from tuneloop.data.near.groups import Groups
from tuneloop.data.near.others import near_to
from tuneloop.data.near.search import BATCH, Near, Search
from tuneloop.data.near.shelf import Shelf
from tuneloop.data.near.tokens import tokens

__all__ = ["Near", "Search", "leaders", "near_pairs", "near_to"]


def near_pairs(texts: Iterable[str], search: Search | None = None) -> Iterator[Near]:
    """Link what is near: whoever follows the pairs from text to text has every cluster whole.

    Not every pair of a cluster is given, only as many as hold it together: a template repeated 100,000 times gives
    99,999 pairs.

    Args:
        texts: The texts; parts (question, answer) are separated by :data:`tuneloop.data.near.tokens.PART`.
        search: What is looked for; the defaults if None.

    Example:
        >>> rows = ["Please: how do I return a shirt?", "The moon is far away.", "How do I return a shirt"]
        >>> list(near_pairs(rows))
        [Near(earlier=0, later=2, similarity=0.9166666666666666)]
    """
    search = search or Search()
    with Shelf(search.spill) as shelf:
        groups = _groups(texts, shelf, search)
        root = list(range(len(shelf)))
        for text in range(len(shelf)):
            twin = int(groups.twin[text])
            if twin != text:
                root[text] = twin
                yield Near(twin, text, 1.0)
                continue
            standing = groups.of(text)
            for other in groups.met(standing):
                if _root(root, other) != _root(root, text):
                    alike = _compare(shelf, other, text, search)
                    if alike:
                        root[_root(root, text)] = _root(root, other)
                        yield Near(other, text, alike)
            groups.put(text, standing)
        search.counts["crowded"] += groups.crowded


def leaders(
    texts: Iterable[str], search: Search | None = None, *, order: NDArray[np.int64] | None = None
) -> Iterator[Near]:
    """Find every text that is near one which stays; ``earlier`` stays, ``later`` may go. Each ``later`` comes once.

    Args:
        texts: The texts.
        search: What is looked for; the defaults if None.
        order: The numbers of the texts, those that are rather kept first; by default as they come.
    """
    search = search or Search()
    with Shelf(search.spill) as shelf:
        groups = _groups(texts, shelf, search, order)
        gone: dict[int, Near] = {}
        for text in range(len(shelf)) if order is None else order.tolist():
            near = _leader(text, groups, shelf, search, gone)
            if near:
                gone[text] = near
                yield near
        search.counts["crowded"] += groups.crowded


def _groups(texts: Iterable[str], shelf: Shelf, search: Search, order: NDArray[np.int64] | None = None) -> Groups:
    """Put all texts on the shelf and group them by their keys."""
    batches: list[Keys] = []
    rest = iter(texts)
    while batch := list(islice(rest, BATCH)):
        taken = tokens(batch)
        shelf.add(taken)
        batches.append(keys(taken, search.shape, search.seed))
    if not batches:
        batches = [Keys(np.zeros((0, 1), np.uint32), np.zeros(0, np.uint64), np.zeros(0, np.uint32))]
    order = np.arange(len(shelf)) if order is None else order
    return Groups(batches, order, "numbers" in search.protect)


def _leader(text: int, groups: Groups, shelf: Shelf, search: Search, gone: dict[int, Near]) -> Near | None:
    """The text that stays for this one; None if it stays itself."""
    twin = int(groups.twin[text])
    if twin != text:
        near = gone.get(twin)
        return near._replace(later=text) if near else Near(twin, text, 1.0)
    standing = groups.of(text)
    for other in groups.met(standing):
        alike = _compare(shelf, other, text, search)
        if alike:
            return Near(other, text, alike)
    groups.put(text, standing)
    return None


def _compare(shelf: Shelf, one: int, other: int, search: Search) -> float:
    search.counts["compared"] += 1
    return shelf.similarity(one, other, search.similarity, search.protect)


def _root(root: list[int], text: int) -> int:
    """The text that stands for a cluster (union-find with path halving, Tarjan and van Leeuwen 1984)."""
    while root[text] != text:
        root[text] = root[root[text]]
        text = root[text]
    return text
