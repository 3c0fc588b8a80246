"""Differences of recipes: every option in which they differ, by its path."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

_TELLING = ("train.", "model.", "task.", "data.", "seed")
_MOST = 3


def flat(recipe: Mapping[str, Any], above: str = "") -> dict[str, str]:
    """Every option of a resolved recipe as text, by its path.

    Example:
        >>> flat({"train": {"batch": {"size": 8}, "stop": None}, "monitor": {"checks": []}})
        {'train.batch.size': '8', 'train.stop': 'null', 'monitor.checks': '[]'}
        >>> flat({"transforms": ["trim", {"length": {"min_chars": 1}}]})
        {'transforms.trim': 'trim', 'transforms.length.min_chars': '1'}
    """
    found: dict[str, str] = {}
    for name, value in recipe.items():
        path = f"{above}{name}"
        if isinstance(value, Mapping) and value:
            found |= flat(value, f"{path}.")
        elif isinstance(value, list) and any(isinstance(each, Mapping) for each in value):
            found |= flat({_item(each, index): _inner(each) for index, each in enumerate(value)}, f"{path}.")
        else:
            found[path] = _text(value)
    return found


def differences(recipes: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[str]]]:
    """The options that are not the same in all recipes: path, and the value in each, empty where there is none.

    Example:
        >>> differences([{"seed": 1, "train": {"batch": {"size": 8}}}, {"seed": 1, "train": {"batch": {"size": 16}}}])
        [('train.batch.size', ['8', '16'])]
    """
    options = [flat(recipe) for recipe in recipes]
    paths = _ordered(options)
    rows = [(path, [each.get(path, "") for each in options]) for path in paths]
    return [(path, values) for path, values in rows if len(set(values)) > 1]


def apart(options: Sequence[Mapping[str, str]]) -> list[list[str]]:
    """What tells recipes of one name from each other, a few words for each.

    Args:
        options: Their options by path, as :func:`flat` gives them.

    Example:
        >>> apart([{"train.batch.size": "8", "seed": "1"}, {"train.batch.size": "16", "seed": "1"}])
        [['batch.size=8'], ['batch.size=16']]
        >>> apart([{"train.adapter.full": "{}"}, {"train.adapter.lora.r": "8", "train.adapter.lora.lora_alpha": "16"}])
        [['adapter=full'], ['adapter=lora']]
    """
    paths = [path for path in _ordered(options) if path.startswith(_TELLING)]
    telling = [path for path in paths if len({each.get(path) for each in options}) > 1]
    telling.sort(key=lambda path: next(place for place, section in enumerate(_TELLING) if path.startswith(section)))
    everywhere = [{above for path in each for above in _above(path)} for each in options]
    shared = set.intersection(*everywhere) if everywhere else set()
    found = [dict.fromkeys(_brief(path, each[path], shared) for path in telling if path in each) for each in options]
    return [list(words)[:_MOST] for words in found]


def _brief(path: str, value: str, shared: Collection[str]) -> str:
    """An option in a word; of a part that only some of the recipes have, the part's name."""
    keys = path.split(".")
    if path not in shared:
        depth = next(length for length in range(1, len(keys) + 1) if ".".join(keys[:length]) not in shared)
        return "=".join(keys[max(0, depth - 2) : depth])
    return f"{'.'.join(key for key in keys[-2:] if not key.isdigit())}={value}"


def _ordered(options: Sequence[Mapping[str, str]]) -> list[str]:
    """The paths of several recipes in the order of the first that has each, what belongs together kept together."""
    places: dict[str, int] = {}
    for path in dict.fromkeys(path for each in options for path in each):
        for above in _above(path):
            places.setdefault(above, len(places))
    return sorted({path for each in options for path in each}, key=lambda path: [places[at] for at in _above(path)])


def _above(path: str) -> list[str]:
    """A path and the paths that it stands below, the outermost first."""
    keys = path.split(".")
    return [".".join(keys[: length + 1]) for length in range(len(keys))]


def _item(value: Any, index: int) -> str:
    """A part in a list goes by its name, anything else by its number: an added part then moves no other."""
    if isinstance(value, Mapping) and len(value) == 1:
        return str(next(iter(value)))
    return value if isinstance(value, str) and value.isidentifier() else str(index)


def _inner(value: Any) -> Any:
    return next(iter(value.values())) if isinstance(value, Mapping) and len(value) == 1 else value


def _text(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    return ", ".join(map(_text, value)) if isinstance(value, list) and value else str(value)
