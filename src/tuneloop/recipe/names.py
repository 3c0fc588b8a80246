"""Names: what a user may have meant by a key that the recipe does not know."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tuneloop.errors import MissingPackage
from tuneloop.parts import Part, find, names
from tuneloop.recipe import shape as shapes
from tuneloop.recipe.places import ROOT

TOOLS = {
    "LF": "LLaMA-Factory",
    "AX": "Axolotl",
    "TRL": "TRL",
    "HF": "Hugging Face",
    "OU": "Oumi",
    "SW": "ms-swift",
    "PT": "PyTorch",
    "MANY": "other tools",
}


SHORT = 3
"""Letters of a name of which one wrong letter is much."""


@dataclass(frozen=True)
class Foreign:
    """A name that other tools use.

    Attributes:
        name: The name.
        tools: Who uses it.
        path: The option of a recipe that does the same; empty where there is none.
        note: What else to know, or what to do instead.
    """

    name: str
    tools: tuple[str, ...]
    path: str
    note: str = ""

    def told(self) -> str:
        """Say it in one line: who calls it so, and what it is here."""
        who = " and ".join([", ".join(self.tools[:-1]), self.tools[-1]] if len(self.tools) > 1 else self.tools)
        here = f"here it is `{self.path}`" if self.path else "tuneloop has no such option"
        verb = "calls" if len(self.tools) == 1 and self.tools[0] != TOOLS["MANY"] else "call"
        return f"{who} {verb} this `{self.name}`; {here}" + (f" ({self.note})" if self.note else "")


@cache
def foreign() -> dict[str, Foreign]:
    """All names of other tools, from ``foreign.json`` beside this file."""
    options = json.loads(Path(__file__).with_name("foreign.json").read_text(encoding="utf-8"))
    return {
        name: Foreign(name, tuple(TOOLS[tool] for tool in tools), option["path"], option["note"])
        for option in options
        for name, tools in option["names"].items()
    }


def called_elsewhere(path: str) -> list[Foreign]:
    """The names that other tools use for one option of a recipe."""
    return [each for each in foreign().values() if each.path == path]


def closest(name: str, known: Iterable[str]) -> str | None:
    """The known name that looks most like one that is not known; None if none does."""
    by_lower = {each.lower(): each for each in known}
    found = difflib.get_close_matches(name.lower().replace("-", "_"), by_lower, n=1, cutoff=0.7)
    return by_lower[found[0]] if found else None


@cache
def everywhere() -> dict[str, tuple[str, ...]]:
    """Every option of the recipe and of every part, by its last name: its paths, default parts first."""
    found: dict[str, list[str]] = {}
    _walk(ROOT, found)
    return {name: tuple(paths) for name, paths in found.items()}


def _walk(place: shapes.Place, found: dict[str, list[str]]) -> None:
    shape = place.shape
    if shape.kind == "list":
        _walk(shapes.Place(place.path, shape.item), found)
    elif shape.kind == "part":
        chosen = shapes.default(place.info) if place.info is not None else None
        first = chosen.name if isinstance(chosen, Part) else ""
        for name in sorted(names(shape.type), key=lambda name: (name != first, name)):
            part = _part(shape.type, name)
            if part is not None:
                _walk(shapes.Place((*place.path, name), shapes.Shape("section", part)), found)
    elif shape.kind == "section":
        for below in shapes.fields(shape.type, place.path):
            found.setdefault(below.path[-1], []).append(below.dotted)
            _walk(below, found)


def _part(base: type[Part], name: str) -> type[Part] | None:
    try:
        return find(base, name)
    except MissingPackage:
        return None


def meant(name: str, siblings: Iterable[str]) -> str:
    """Say what to write instead of an unknown key.

    Args:
        name: The key that was met.
        siblings: The keys that may stand there.
    """
    siblings = list(siblings)
    near = closest(name, siblings)
    if near is None and len(name) <= SHORT:
        near = next(iter(difflib.get_close_matches(name.lower(), siblings, n=1, cutoff=0.5)), None)
    if near:
        return f"did you mean `{near}`?"
    known = foreign().get(name)
    if known:
        return known.told()
    paths = everywhere().get(name, ())
    if paths:
        families = {path.rsplit(".", 2)[0]: path for path in reversed(paths)}
        return "it stands elsewhere: " + " or ".join(f"`{path}`" for path in sorted(families.values()))
    wide = closest(name, [*everywhere(), *foreign()])
    if wide in everywhere():
        return f"did you mean `{everywhere()[wide][0]}`?"
    if wide:
        return foreign()[wide].told()
    return "known here: " + ", ".join(siblings) if siblings else "remove it: there are no options here"
