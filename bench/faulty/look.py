"""Look at a kept run with the checks as they are now."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from tuneloop.monitoring.checks import Check, findings
from tuneloop.monitoring.history import History
from tuneloop.monitoring.row_losses import RowLosses
from tuneloop.parts import find, names
from tuneloop.rows import Finding


def history_of(folder: Path) -> History:
    """Everything that is known of a kept run.

    Args:
        folder: Folder with ``signals.jsonl``, ``recipe.yaml`` and the losses of single rows.
    """
    history = History.read(folder / "signals.jsonl")
    if (folder / "recipe.yaml").exists():
        history.recipe = yaml.safe_load((folder / "recipe.yaml").read_text(encoding="utf-8"))
    history.train_rows = _rows(folder, "train")
    history.validation_rows = _rows(folder, "validation")
    return history


def look(folder: Path) -> list[Finding]:
    """What the checks find in a kept run; in one that failed, also what the run itself found when it did."""
    found = findings([find(Check, name)() for name in names(Check)], history_of(folder))
    from tuneloop.rows import jsonl

    said = list(jsonl.read(folder / "findings.jsonl", Finding)) if (folder / "findings.jsonl").exists() else []
    known = {finding.check for finding in found}
    return found + [finding for finding in said if finding.check == "not_finite" and finding.check not in known]


def _rows(folder: Path, split: str) -> RowLosses | None:
    file = folder / "origins.json"
    origins: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    listed = [origin for _, origin in origins.get(split, [])]
    return RowLosses.read(
        folder / f"row_losses.{split}.bin", lambda row: listed[row] if row < len(listed) else f"row {row}"
    )
