"""Pairs: which of many texts are near each other.

What is promised: every pair given was compared exactly on the shingles of both texts, so none is wrong. A pair is
missed with the probability that :func:`tuneloop.data.near.bands.found` states for its similarity: at most 2 % for a
pair just alike enough, next to none above. Equal input gives equal pairs in equal order, whatever the machine.
Memory is about 280 bytes a text at the default similarity; the tokens lie on disk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from tuneloop.data.near.groups import Catalogue
from tuneloop.data.near.others import near_to
from tuneloop.data.near.search import Near, Search
from tuneloop.data.near.shelf import Shelf

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
        known = Catalogue(texts, shelf, search)
        for earlier, later in known.twins():
            yield Near(earlier, later, 1.0)
        root = list(range(len(shelf)))
        for earlier, later in known.pairs():
            if _root(root, earlier) != _root(root, later):
                alike = _compare(shelf, earlier, later, search)
                if alike:
                    root[_root(root, later)] = _root(root, earlier)
                    yield Near(earlier, later, alike)


def leaders(
    texts: Iterable[str],
    search: Search | None = None,
    *,
    order: NDArray[np.int64] | Callable[[], NDArray[np.int64]] | None = None,
) -> Iterator[Near]:
    """Find every text that is near one which stays; ``earlier`` stays, ``later`` may go. Each ``later`` comes once.

    Args:
        texts: The texts.
        search: What is looked for; the defaults if None.
        order: The numbers of the texts, those that are rather kept first; by default as they come. What gives them
            may be given instead, if they are known only behind the last text.
    """
    search = search or Search()
    with Shelf(search.spill) as shelf:
        known = Catalogue(texts, shelf, search, order)
        gone: dict[int, Near] = {}
        for earlier, later in known.pairs():
            if earlier not in gone and later not in gone:
                alike = _compare(shelf, earlier, later, search)
                if alike:
                    gone[later] = Near(earlier, later, alike)
        yield from gone.values()
        for earlier, later in known.twins():
            near = gone.get(earlier)
            yield near._replace(later=later) if near else Near(earlier, later, 1.0)


def _compare(shelf: Shelf, one: int, other: int, search: Search) -> float:
    search.counts["compared"] += 1
    return shelf.similarity(one, other, search.similarity, search.protect)


def _root(root: list[int], text: int) -> int:
    """The text that stands for a cluster (union-find with path halving, Tarjan and van Leeuwen 1984)."""
    while root[text] != text:
        root[text] = root[root[text]]
        text = root[text]
    return text
