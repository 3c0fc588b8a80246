"""Facts: what an artifact's manifest says of it, in one line or one line each."""

from __future__ import annotations

from typing import Any

from tuneloop.cli._screen import figure

_BRIEF = {
    "dataset": ("rows.train", "rows.validation", "rows.test", "dropped"),
    "run": ("steps", "best_step", "validation_loss"),
    "model": ("form", "trainable", "validation_loss"),
    "report": ("verdict",),
    "bundle": ("forms",),
    "release": ("name",),
    "study": ("trials", "metric", "best"),
}
_SHOWN = {
    "rows.train": "train",
    "rows.validation": "validation",
    "rows.test": "test",
    "validation_loss": "held-out loss",
}


def brief(kind: str, facts: dict[str, Any]) -> str:
    """The facts of an artifact that tell it from others of its kind, on one line.

    Example:
        >>> brief("dataset", {"rows": {"train": 90, "test": 10}, "dropped": 3})
        'train 90  test 10  dropped 3'
    """
    flat = dict(spread(facts))
    told = [name for name in _BRIEF.get(kind, tuple(flat)[:4]) if flat.get(name) not in (None, "")]
    if told == ["verdict"]:
        return flat["verdict"]
    return "  ".join(f"{_SHOWN.get(name, name).replace('_', ' ')} {flat[name]}" for name in told)


def spread(values: dict[str, Any], above: str = "") -> list[tuple[str, str]]:
    """All facts, one name and text each; those of a block are named ``block.fact``.

    Example:
        >>> spread({"base": {"name": "embedded"}, "forms": ["merged"], "bytes": 1024})
        [('base.name', 'embedded'), ('forms', 'merged'), ('bytes', '1,024')]
    """
    lines: list[tuple[str, str]] = []
    for name, value in values.items():
        if isinstance(value, dict):
            lines += spread(value, f"{above}{name}.")
        elif isinstance(value, list):
            lines.append((f"{above}{name}", ", ".join(figure(item) for item in value)))
        elif value is not None:
            lines.append((f"{above}{name}", figure(value)))
    return lines
