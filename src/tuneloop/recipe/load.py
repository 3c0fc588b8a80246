"""Load: a recipe from a YAML file or a mapping, with every problem in it found at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from tuneloop.errors import RecipeError
from tuneloop.recipe import changes as changing
from tuneloop.recipe import problems, searched, shape, written
from tuneloop.recipe.places import ROOT
from tuneloop.recipe.recipe import Recipe
from tuneloop.store.naming import name_from


def load(source: Path | str | Mapping[str, Any], changes: Sequence[str] = (), *, folder: Path | None = None) -> Recipe:
    """Read a recipe and check all of it.

    Args:
        source: The YAML file, or the recipe as plain values.
        changes: ``path=value`` each (``train.batch.size=8``), made before the check.
        folder: The folder that the recipe's relative paths start from; by default that of the file,
            or the present one for plain values.

    Returns:
        The resolved recipe.

    Raises:
        RecipeError: Something is wrong; it carries every problem, each with file, line and fix.
        MissingPackage: It names a part whose package is not installed.

    Example:
        >>> recipe = load({"data": {"sources": ["faq.jsonl"]}, "model": {"base": "embedded"}}, ["train.batch.size=8"])
        >>> recipe.train.batch.size
        8
    """
    if isinstance(source, Mapping):
        recipe, home = written.of_mapping(source), Path()
    else:
        recipe, home = written.read(Path(source)), Path(source).parent
        if isinstance(recipe.value, dict):
            recipe.value.setdefault("name", name_from(Path(source).stem))
    return check(recipe, changes).at(folder if folder is not None else home)


def check(recipe: written.Written, changes: Sequence[str] = ()) -> Recipe:
    """Check a recipe as it was written, with changes made first.

    Raises:
        RecipeError: Something is wrong; it carries every problem.
        MissingPackage: It names a part whose package is not installed.
    """
    found = [*recipe.problems]
    if recipe.value is None and not changes:
        raise RecipeError("the recipe is empty", where=recipe.name, fix=problems.SMALLEST)
    found += changing.apply(recipe, changes)
    _open_empty_sections(recipe)
    try:
        checked = Recipe.model_validate(recipe.value)
    except ValidationError as error:
        found += problems.of_errors(recipe, error.errors(include_url=False))
    found += problems.of_truths(recipe)
    if not found and checked.tune.space:
        found += searched.of_space(recipe, checked)
    if found:
        raise RecipeError.of(found)
    return checked


def _open_empty_sections(recipe: written.Written) -> None:
    """Take a section with nothing under it (every line commented out) as a section of defaults."""
    for _, value, place in shape.walk(recipe.value, ROOT):
        if place.shape.kind == "section" and isinstance(value, dict):
            for below in shape.fields(place.shape.type):
                name = below.path[-1]
                if name in value and value[name] is None and below.shape.kind == "section" and not below.shape.optional:
                    value[name] = {}
