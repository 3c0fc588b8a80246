"""Cards: the few facts of model and run that a reader of the page wants, each as a name and a figure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tuneloop.monitoring.proof import Lines, figure
from tuneloop.monitoring.proof import lines as receipts

__all__ = ["environment", "figure", "model", "receipts"]


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


def environment(facts: Mapping[str, Any]) -> Lines:
    """Versions and device, as they are."""
    return [(name, figure(value)) for name, value in facts.items()]
