"""``trainer_log.jsonl``: a line for every logged step, as LLaMA-Factory writes it."""

from __future__ import annotations

import json
from pathlib import Path

from tuneloop.monitoring.foreign import names
from tuneloop.monitoring.history import History


def read(file: Path) -> History:
    """Read the figures of all whole lines.

    Args:
        file: The log.

    Raises:
        ValueError: A line, other than a last one that is still being written, is no JSON.
    """
    history = History()
    lines = file.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
        except ValueError:
            if number == len(lines):
                break
            raise
        names.add(history, int(entry.get("current_steps", 0)), entry)
    return history
