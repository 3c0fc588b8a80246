"""Settings: what lies beside another tool's log and says how it trained, under the recipe's paths."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tuneloop.monitoring.history import History

_OPTIMIZERS = {
    "adamw": "adamw",
    "adam": "adam",
    "lion": "lion",
    "sgd": "sgd",
    "adafactor": "adafactor",
    "rmsprop": "rmsprop",
    "muon": "muon",
}
"""How the name of an optimizer begins, and its name in a recipe."""
_SCHEDULES = {"cosine": "cosine", "linear": "linear", "constant": "constant", "constant_with_warmup": "constant"}


def read(folder: Path, history: History) -> None:
    """Add the settings of ``training_args.json`` and ``adapter_config.json`` to a history's recipe.

    Args:
        folder: Where the log lies; the settings may lie there or one folder above.
        history: The history; its recipe is extended.
    """
    train: dict[str, Any] = {**(history.option("train") or {})}
    given = _first(folder, "training_args.json")
    batch, steps = given.get("per_device_train_batch_size"), given.get("gradient_accumulation_steps", 1)
    if batch:
        train["batch"] = {"size": int(batch) * int(steps or 1)}
    if given.get("max_grad_norm") is not None:
        train["max_grad_norm"] = float(given["max_grad_norm"]) or None
    if given.get("fp16") or given.get("bf16"):
        train["precision"] = "fp16" if given.get("fp16") else "bf16"
    if str(given.get("lr_scheduler_type")) in _SCHEDULES:
        train["schedule"] = {_SCHEDULES[str(given["lr_scheduler_type"])]: {}}
    rate = given.get("learning_rate") or max(history.values("train/learning_rate"), default=0.0)
    if rate:
        train["optimizer"] = {_optimizer(str(given.get("optim", ""))): {"learning_rate": float(rate)}}
    adapter = _first(folder, "adapter_config.json")
    if adapter.get("peft_type") == "LORA":
        named = ("r", "lora_alpha", "lora_dropout", "target_modules")
        train["adapter"] = {"lora": {name: adapter[name] for name in named if adapter.get(name) is not None}}
    history.recipe = {**history.recipe, "train": train}


def _optimizer(name: str) -> str:
    plain = name.lower().rpartition(".")[2].removeprefix("paged_")
    if plain.startswith("adamw") and "8bit" in plain:
        return "adamw_8bit"
    return next((own for begin, own in _OPTIMIZERS.items() if plain.startswith(begin)), "adamw")


def _first(folder: Path, name: str) -> dict[str, Any]:
    """The JSON object of the nearest file of a name; empty where there is none that can be read."""
    for place in (folder, folder.parent):
        try:
            value = json.loads((place / name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(value, dict):
            return value
    return {}
