"""Cards: the few facts of model and run that a reader of the page wants, each as a name and a figure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

Lines = list[tuple[str, str]]


def model(facts: Mapping[str, Any]) -> Lines:
    """What was tuned, and how much of it.

    Example:
        >>> model({"form": "adapter", "base": {"name": "embedded"}, "parameters": 4000, "trainable": 100})
        [('base', 'embedded'), ('form', 'adapter'), ('parameters', '4,000'), ('trained', '100 (2.5 %)')]
    """
    lines = [("base", facts.get("base", {}).get("name")), ("form", facts.get("form"))]
    lines += [("class", facts.get("architecture")), ("parameters", facts.get("parameters"))]
    if facts.get("trainable"):
        share = facts["trainable"] / facts["parameters"]
        lines.append(("trained", f"{facts['trainable']:,} ({100 * share:.2g} %)"))
    lines.append(("bytes on disk", facts.get("bytes")))
    return [(name, figure(value)) for name, value in lines if value is not None]


def receipts(proof: Mapping[str, Any]) -> Lines:
    """What training really did: the run's receipts, and how far each kind of layer moved.

    Example:
        >>> moved = {"h.0.q_proj.lora_A.default.weight": 3.0, "h.1.q_proj.lora_A.default.weight": 4.0}
        >>> acts = {"name": "lora", "rank": [8], "scale": [2.0]}
        >>> receipts({"adapter": acts, "weights": {"frozen_unmoved": True, "moved": moved}})
        [('adapter', 'lora, rank 8, scale 2'), ('frozen weights unmoved', 'yes'), ('moved: q_proj', '5')]
    """
    named = {
        "ended": proof.get("ended"),
        "steps made": proof.get("steps", {}).get("made"),
        "best step": proof.get("best_step"),
        "rows seen": proof.get("rows_seen"),
        "tokens": proof.get("tokens"),
        "learned tokens": proof.get("supervised_tokens"),
        "adapter": _adapter(proof.get("adapter", {})),
        "precision": proof.get("precision", {}).get("used"),
        "highest learning rate": proof.get("schedule", {}).get("highest"),
        "frozen weights unmoved": proof.get("weights", {}).get("frozen_unmoved"),
    }
    lines = [(name, figure(value)) for name, value in named.items() if value is not None]
    return lines + [(f"moved: {name}", figure(length)) for name, length in moved(proof.get("weights", {}))]


def _adapter(acts: Mapping[str, Any]) -> str | None:
    """The adapter's name with the rank and scale that its layers really have."""
    told = [f"{name} {', '.join(figure(each) for each in acts[name])}" for name in ("rank", "scale") if name in acts]
    return ", ".join([acts["name"], *told]) if acts else None


def moved(weights: Mapping[str, Any], most: int = 8) -> list[tuple[str, float]]:
    """How far each kind of layer moved from where it began, all layers of the kind together (Euclidean norm)."""
    squares: dict[str, float] = {}
    for name, length in weights.get("moved", {}).items():
        parts = re.sub(r"\.(lora_\w+|default|weight|bias|base_layer|modules_to_save)\b", "", name).split(".")
        kind = next((part for part in reversed(parts) if not part.isdigit()), name)
        squares[kind] = squares.get(kind, 0.0) + length**2
    farthest = sorted(squares.items(), key=lambda item: -item[1])[:most]
    return [(kind, math.sqrt(square)) for kind, square in farthest]


def environment(facts: Mapping[str, Any]) -> Lines:
    """Versions and device, as they are."""
    return [(name, figure(value)) for name, value in facts.items()]


def figure(value: Any) -> str:
    """A value as a person reads it.

    Example:
        >>> figure(1234567), figure(0.00012345), figure(True), figure("cpu")
        ('1,234,567', '0.0001234', 'yes', 'cpu')
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value)
