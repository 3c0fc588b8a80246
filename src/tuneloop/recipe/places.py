"""Places: the whole recipe as a tree of places, and what stands at a path of it."""

from __future__ import annotations

from collections.abc import Iterable

from tuneloop.recipe.recipe import Recipe
from tuneloop.recipe.shape import Place, Shape, step

ROOT = Place((), Shape("section", Recipe))
"""The recipe itself."""


def at(keys: Iterable[str | int]) -> Place | None:
    """Go down from the top, key by key; None where the recipe has no such place.

    Raises:
        MissingPackage: A key names a part whose package is not installed.

    Example:
        >>> place = at(["train", "adapter", "lora", "r"])
        >>> place.dotted if place else None
        'train.adapter.lora.r'
    """
    place: Place | None = ROOT
    for key in keys:
        place = step(place, key) if place is not None else None
    return place
