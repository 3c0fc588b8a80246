"""Histories of other tools: their logs, read as the figures and recipe options that tuneloop's checks know.

Only JSON, CSV and text are read, never a pickled file such as ``training_args.bin``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tuneloop.errors import DataError
from tuneloop.monitoring.foreign import settings, table, trainer_log, trainer_state
from tuneloop.monitoring.history import History

_FIX = "give a trainer_state.json, a trainer_log.jsonl, or a CSV or JSONL file with a step and a loss in each row"


def read(path: Path) -> History:
    """Read the log of another tool.

    Args:
        path: A ``trainer_state.json`` (Hugging Face and all that builds on it), a ``trainer_log.jsonl``
            (LLaMA-Factory), a CSV or JSONL file of figures, or a folder of such a run: its newest log is taken.

    Returns:
        Its figures under tuneloop's names, with what is known of its settings under the recipe's paths.

    Raises:
        DataError: There is no log, or it holds no figures that are known.
    """
    file = log_of(path)
    if file is None:
        raise DataError("there is no log of a training that can be read", where=str(path), fix=_FIX)
    try:
        history = _reader(file)(file)
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise DataError(f"this log cannot be read: {error}", where=str(file), fix=_FIX) from error
    if not any(history.series(name) for name in ("train/loss", "validation/loss", "train/grad_norm")):
        raise DataError("this log holds no loss and no gradient norm", where=str(file), fix=_FIX)
    settings.read(file.parent, history)
    return history


def log_of(path: Path) -> Path | None:
    """The log that a path means: the file itself, or the one of a run's folder that has come furthest."""
    if path.is_file():
        return path
    states = [
        *path.glob("checkpoint-*/trainer_state.json"),
        *(file for file in [path / "trainer_state.json"] if file.is_file()),
    ]
    if states:
        return max(states, key=lambda file: (_place(file), file.parent == path))
    logs = [path / name for name in ("trainer_log.jsonl", "metrics.csv", "metrics.jsonl", "log.jsonl", "logging.jsonl")]
    return next((file for file in logs if file.is_file()), None)


def _place(state: Path) -> int:
    """Steps made until a state was written: those of a checkpoint's name; a state at the top is the newest."""
    number = state.parent.name.rpartition("-")[2]
    return int(number) if state.parent.name.startswith("checkpoint-") and number.isdigit() else 1 << 62


def _reader(file: Path) -> Callable[[Path], History]:
    if file.name == "trainer_log.jsonl":
        return trainer_log.read
    return trainer_state.read if file.suffix == ".json" else table.read
