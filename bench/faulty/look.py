"""Look at a kept run with the checks as they are now."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from tuneloop.monitoring.checks import Check, findings
from tuneloop.monitoring.history import History
from tuneloop.parts import find, names
from tuneloop.rows import Finding, jsonl


def history_of(folder: Path) -> History:
    """Everything that is known of a kept run.

    Args:
        folder: Folder with ``signals.jsonl``, ``recipe.yaml`` and the losses of single rows.
    """
    file = folder / "origins.json"
    kept = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    return History.of_run(folder, {split: _origin([origin for _, origin in rows]) for split, rows in kept.items()})


def look(folder: Path) -> list[Finding]:
    """What the checks find in a kept run, and what a failed run said of its end, which no signal can hold."""
    found = findings([find(Check, name)() for name in names(Check)], history_of(folder))
    file = folder / "findings.jsonl"
    said = jsonl.read(file, Finding) if file.exists() else ()
    known = {finding.check for finding in found}
    return [*(one for one in said if one.check == "not_finite" and one.check not in known), *found]


def _origin(origins: list[str]) -> Callable[[int], str]:
    """Where a row of the encoded split came from, as far as every record gave one example."""
    return lambda row: origins[row] if row < len(origins) else f"row {row}"
