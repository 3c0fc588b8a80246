"""Tables: a CSV or JSONL file of figures, one row a step, as scripts and loggers write them."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tuneloop.monitoring.foreign import names
from tuneloop.monitoring.history import History

_STEPS = ("step", "global_step", "global_step/max_steps", "current_steps", "iteration", "iter", "_step")
"""Columns that say the step; a table without any has one row a step."""


def read(file: Path) -> History:
    """Read a table; cells that are no numbers are passed over.

    Args:
        file: The table: ``.csv``, ``.tsv``, or one JSON object a line.

    Raises:
        ValueError: A line is no JSON object.
    """
    history = History()
    for number, row in enumerate(_rows(file), start=1):
        names.add(history, _step(row, number), row)
    return history


def _rows(file: Path) -> Iterator[dict[str, Any]]:
    with file.open(encoding="utf-8-sig", newline="") as lines:
        if file.suffix in (".csv", ".tsv"):
            yield from csv.DictReader(lines, delimiter="\t" if file.suffix == ".tsv" else ",")
            return
        for line in lines:
            if line.strip():
                row = json.loads(line)
                if not isinstance(row, dict):
                    raise ValueError(f"a line is no JSON object: {line[:80].strip()}")
                yield row


def _step(row: dict[str, Any], number: int) -> int:
    told = next((row[name] for name in _STEPS if row.get(name) not in (None, "")), number)
    return int(float(str(told).partition("/")[0]))
