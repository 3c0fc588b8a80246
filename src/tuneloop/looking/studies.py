"""Studies: what a search over recipes came to, from its summary in the store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from tuneloop.looking import figures


def told(folder: Path) -> dict[str, Any] | None:
    """The trials of a search as a table, the best first, and the changes of the best; None where that is no study.

    Args:
        folder: The artifact's folder.
    """
    try:
        summary = msgspec.json.decode((folder / "study.json").read_bytes(), type=dict[str, Any])
        trials = summary["trials"]
        paths = list(dict.fromkeys(path for trial in trials for path in trial["values"]))
        return {
            "metric": summary["metric"],
            "change": " ".join(f"--set {change}" for change in summary["best"]["changes"]),
            "paths": paths,
            "trials": [_row(trial, paths) for trial in trials],
        }
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _row(trial: dict[str, Any], paths: list[str]) -> dict[str, Any]:
    values = trial["values"]
    return {
        "number": trial["number"],
        "score": figures.loss(trial.get("score")),
        "values": [_text(values[path]) if path in values else "" for path in paths],
        "steps": f"{int(trial.get('steps') or 0):,}",
        "time": figures.span(trial.get("seconds")),
        "run": str(trial.get("run") or ""),
        "failure": str(trial.get("failure") or ""),
    }


def _text(value: Any) -> str:
    return figures.amount(value) if isinstance(value, float) else str(value)
