"""Schema: the recipe as JSON schema, so that an editor completes and checks it."""

from __future__ import annotations

from typing import Any

from tuneloop.recipe import shape as shapes
from tuneloop.recipe.places import ROOT
from tuneloop.recipe.recipe import Recipe


def schema() -> dict[str, Any]:
    """Make the JSON schema of a recipe (draft 2020-12), short forms included.

    Example:
        >>> schema()["required"]
        ['data', 'model']
    """
    made = Recipe.model_json_schema()
    for name in _with_short_form(ROOT.shape):
        long = made["$defs"][name]
        made["$defs"][name] = {"anyOf": [{"type": "string", "description": "Short for {path: ...}."}, long]}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made}


def _with_short_form(shape: shapes.Shape) -> set[str]:
    """The names of the sections that may also be written as one value."""
    found: set[str] = set()
    if shape.kind == "section":
        if shape.before:
            found.add(shape.type.__name__)
        for place in shapes.fields(shape.type):
            found |= _with_short_form(place.shape)
    elif shape.kind == "list":
        found |= _with_short_form(shape.item)
    return found
