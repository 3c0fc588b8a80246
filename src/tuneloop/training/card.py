"""The card of a tuned model: what a person should know before using it, on one page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tuneloop.monitoring.proof import lines as told
from tuneloop.training.state import State


def card(facts: dict[str, Any], parents: dict[str, str], state: State, proof: Mapping[str, Any]) -> str:
    """Write the card as Markdown.

    Args:
        facts: The model's facts.
        parents: Ids of what it was made from.
        state: Where its run ended.
        proof: The run's receipts.
    """
    base = facts["base"]
    form = "Adapter for" if facts["form"] == "adapter" else "Full weights, tuned from"
    lines = [
        f"# {form} {base['name']}",
        "",
        f"- Base: {base['name']} (digest `{base['digest'][:16]}`); its licence holds for this model too",
        f"- Task: {next(iter(facts['task']))}",
        f"- Trained weights: {facts['trainable']:,} of {facts['parameters']:,}",
        f"- Learned from {state.rows:,} rows ({state.learned:,} supervised tokens) in {state.step:,} steps",
    ]
    if state.best:
        lines.append(f"- Held-out loss: {state.best[1]:.4f} nats at step {state.best[0]:,}")
    lines += [f"- Made from {role}: `{id}`" for role, id in parents.items()]
    lines += ["", "## What training did", ""]
    lines += [f"- {name[0].upper()}{name[1:]}: {value}" for name, value in told(proof)]
    return "\n".join(lines) + "\n"
