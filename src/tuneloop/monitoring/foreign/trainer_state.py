"""``trainer_state.json``: what the Trainer of Hugging Face keeps, and TRL, Axolotl, ms-swift and others with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tuneloop.monitoring.foreign import names
from tuneloop.monitoring.history import History

_SUMMARY = "train_runtime"
"""A line with it is the summary at the end, whose loss is the mean over the run."""


def read(file: Path) -> History:
    """Read the log history, and the settings that the state holds.

    Args:
        file: The state.

    Raises:
        ValueError: It is no state with a log history.
    """
    state: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    if not isinstance(state, dict) or not isinstance(state.get("log_history"), list):
        raise ValueError("it has no log_history")
    history = History(recipe={"train": _train(state)})
    for entry in state["log_history"]:
        if _SUMMARY not in entry:
            names.add(history, int(entry.get("step", 0)), entry)
    return history


def _train(state: dict[str, Any]) -> dict[str, Any]:
    train: dict[str, Any] = {}
    if state.get("num_train_epochs"):
        train["num_train_epochs"] = float(state["num_train_epochs"])
    if state.get("train_batch_size"):
        train["batch"] = {"size": int(state["train_batch_size"])}
    callbacks = state.get("stateful_callbacks") or {}
    stopping = callbacks.get("EarlyStoppingCallback") if isinstance(callbacks, dict) else None
    if isinstance(stopping, list):
        stopping = stopping[0] if stopping else None
    if isinstance(stopping, dict) and "early_stopping_patience" in stopping.get("args", {}):
        train["stop"] = {"patience": int(stopping["args"]["early_stopping_patience"])}
    return train
