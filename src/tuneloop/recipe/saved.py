"""Saved: a recipe as it was written, with changes made, as a recipe of its own."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from tuneloop.errors import RecipeError
from tuneloop.recipe import changes as changing
from tuneloop.recipe import written
from tuneloop.store.naming import name_from
from tuneloop.store.seal import replace

_WITH_FILES = ("data", "model", "task")
"""Sections that name files beside the recipe."""


def save(source: Path, changes: Sequence[str], target: Path, *, why: str, leave_out: str = "") -> None:
    """Write a recipe with changes as another file; it keeps its name and what it names, wherever it lies.

    Args:
        source: The recipe's file.
        changes: ``path=value`` each.
        target: The file to write.
        why: What the changes are, for a comment at its top.
        leave_out: A section that it need not have.

    Raises:
        RecipeError: The recipe cannot be read, or a change cannot be made.
        StoreError: The file cannot be written.
    """
    recipe = written.read(source)
    problems = changing.apply(recipe, changes)
    if problems:
        raise RecipeError.of(problems)
    values = {"name": name_from(source.stem), **recipe.value}
    values.pop(leave_out, None)
    here, there = source.absolute().parent, target.absolute().parent
    if here != there:
        for section in _WITH_FILES:
            if section in values:
                values[section] = _moved(values[section], here, there)
    text = yaml.dump(values, Dumper=written.Dumper, allow_unicode=True, sort_keys=False, width=110)
    replace(target, f"# {why}\n{text}".encode())


def _moved(value: Any, here: Path, there: Path) -> Any:
    """The same values with the names of files beside the old recipe as they are seen from the new one."""
    if isinstance(value, dict):
        return {key: _moved(inner, here, there) for key, inner in value.items()}
    if isinstance(value, list):
        return [_moved(inner, here, there) for inner in value]
    if isinstance(value, str) and value and not Path(value).is_absolute() and _names_files(here, value):
        return Path(os.path.relpath(here / value, there)).as_posix()
    return value


def _names_files(folder: Path, text: str) -> bool:
    if "\n" in text or len(text) > 500 or "://" in text:
        return False
    try:
        return (folder / text).exists() or ("*" in text and any(folder.glob(text)))
    except (OSError, ValueError):
        return False
