"""Naming: what may be a name, in any script, and what was meant by a name that nothing has."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Collection, Mapping

ACTS = {
    "dataset": "prepare",
    "run": "train",
    "model": "train",
    "report": "evaluate",
    "bundle": "export",
    "challenger": "run",
    "champion": "run",
}
"""The roles of a recipe, and the command that fills each for the first time."""
MOST = 8


def is_name(text: str) -> bool:
    """Whether a text is letters and digits of any script, ``_ . -``, beginning with a letter or digit, in NFC.

    Such a name is safe as a piece of a path and of a ref.

    Example:
        >>> is_name("客服助手"), is_name("faq-2.1"), is_name("../faq"), is_name("a b")
        (True, True, False, False)
    """
    fits = bool(text) and all(_fits(character) for character in text)
    return fits and unicodedata.category(text[0])[0] in "LN" and composed(text) == text


def composed(text: str) -> str:
    """A text with each accented letter as one character (NFC); some systems' file names take it apart."""
    return unicodedata.normalize("NFC", text)


def name_from(text: str) -> str:
    """Make a name of any text; ``model`` where nothing of it can be in one.

    Example:
        >>> name_from("My FAQ (new)"), name_from("客服 助手"), name_from("__")
        ('My-FAQ-new', '客服-助手', 'model')
    """
    kept = "".join(character if _fits(character) else " " for character in composed(text))
    name = "-".join(kept.split()).rstrip("-_.")
    while name and not is_name(name):
        name = name[1:]
    return name or "model"


def instead(name: str, refs: Mapping[str, str]) -> str:
    """Say what to do or write instead of a name that nothing has.

    Args:
        name: The name.
        refs: The refs there are.

    Example:
        >>> instead("faq", {"faq/dataset": "dataset-1"})
        'name one of its refs: faq/dataset'
        >>> instead("faq/challenger", {"faq/dataset": "dataset-1"})
        'make it first: tuneloop run RECIPE, the recipe named faq'
    """
    if below := sorted(ref for ref in refs if ref.startswith(f"{name}/")):
        return f"name one of its refs: {_listed(below)}"
    recipe, _, role = name.rpartition("/")
    recipes = {ref.partition("/")[0] for ref in refs}
    if role in ACTS and (not recipe or recipe in recipes or not _close(recipe, recipes)):
        return f"make it first: tuneloop {ACTS[role]} RECIPE" + (f", the recipe named {recipe}" if recipe else "")
    near = _close(name, refs) or _close(name, recipes)
    if recipe and not near:
        near = [f"{each}/{role}" for each in _close(recipe, recipes)]
    if near:
        return f"did you mean {_listed(near)}? tuneloop show lists all refs"
    return "tuneloop runs lists the artifacts, tuneloop show the refs"


def _fits(character: str) -> bool:
    return character in "_.-" or unicodedata.category(character)[0] in "LMN"


def _close(name: str, known: Collection[str]) -> list[str]:
    return difflib.get_close_matches(name, known, n=3, cutoff=0.6)


def _listed(names: list[str]) -> str:
    return ", ".join(names[:MOST]) + (f" and {len(names) - MOST} more" if len(names) > MOST else "")
