"""Healthy settings: nothing is wrong with them, and every fault is planted in one of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from bench.faulty.case import Case
from bench.faulty.rows import draw, models

FACTORS = {1: 1.0, 2: 0.7, 3: 1.4}
"""What the learning rate and the number of rows of each seed are multiplied with; other seeds have the first."""


@dataclass(frozen=True)
class Setting:
    """A healthy way to train.

    Attributes:
        model: ``stories260K``, ``babyllama361``, ``embedded``, or ``tuned:<setting>``: the model that setting gave.
        source: The pool of its rows.
        rows: How many are taken, held-out ones included.
        rate: Learning rate.
        task: As in a recipe.
        options: Other recipe paths and values.
        unseen: Whether it is only used for runs that no check was made with.
    """

    model: str
    source: str
    rows: int
    rate: float
    task: Any = "sft"
    options: dict[str, Any] = field(default_factory=dict)
    unseen: bool = False


FULL = {"train.adapter": "full"}
LORA = {"train.adapter": {"lora": {"r": 8, "lora_alpha": 16}}}
DPO = {"preference": {"loss_type": "sigmoid", "beta": 0.1}}

SETTINGS = {
    "lora_en": Setting("stories260K", "alpaca", 330, 5e-3, options=LORA),
    "full_en": Setting("stories260K", "alpaca", 330, 1e-3, options=FULL),
    "full_sums": Setting("babyllama361", "sums", 340, 2e-3, options={**FULL, "train.num_train_epochs": 8}),
    "lora_sums": Setting(
        "stories260K", "sums", 340, 1e-2, options={**LORA, "train.schedule": "linear", "train.num_train_epochs": 8}
    ),
    "full_zh": Setting("babyllama361", "alpaca_zh", 240, 1e-3, options=FULL),
    "lora_zh": Setting("babyllama361", "alpaca_zh", 260, 5e-3, options={**LORA, "train.num_train_epochs": 2}),
    "classes": Setting("stories260K", "spam", 480, 1e-3, task="text_classification", options=FULL),
    "classes_lora": Setting("stories260K", "intents", 600, 5e-3, task="text_classification", options=LORA),
    "texts": Setting("stories260K", "shakespeare", 200, 1e-3, task="pretrain", options=FULL),
    "preference": Setting("tuned:full_en", "preferred", 260, 2e-4, task=DPO, options=FULL),
    "few_rows": Setting("stories260K", "alpaca", 76, 1e-3, options={**FULL, "train.batch.size": 4}),
    "stopped_early": Setting(
        "stories260K",
        "sums",
        200,
        2e-3,
        options={**FULL, "train.num_train_epochs": 30, "train.stop.patience": 2},
    ),
    "low_start": Setting("tuned:full_sums", "sums", 300, 2e-4, options=FULL),
    "small_steps": Setting("stories260K", "alpaca", 240, 5e-4, options={**FULL, "train.batch.size": 4}),
    "lora_embedded": Setting("embedded", "embedded", 300, 2e-3, options=LORA, unseen=True),
    "full_problems": Setting("embedded", "problems", 260, 1e-3, options=FULL, unseen=True),
    "lora_code": Setting("babyllama361", "code_zh", 220, 4e-3, options=LORA, unseen=True),
    "classes_zh": Setting("embedded", "reviews", 500, 1e-3, task="text_classification", options=FULL, unseen=True),
    "texts_grimm": Setting("babyllama361", "grimm", 120, 5e-4, task="pretrain", options=FULL, unseen=True),
    "long_embedded": Setting(
        "embedded",
        "problems",
        160,
        1e-3,
        options={**FULL, "train.num_train_epochs": 20, "train.stop.patience": 2, "train.optimizer": "lion"},
        unseen=True,
    ),
}
"""Every healthy setting by its name."""


def case(name: str, seed: int) -> Case:
    """The healthy case of a setting: other rows for every seed, and somewhat other settings.

    Args:
        name: One of :data:`SETTINGS`.
        seed: The seed.
    """
    from bench.faulty.models import base_of

    setting, factor = SETTINGS[name], FACTORS.get(seed, 1.0)
    options = dict(setting.options)
    optimizer = options.pop("train.optimizer", "adamw")
    rate = setting.rate * factor * (0.3 if optimizer == "lion" else 1.0)
    options[f"train.optimizer.{optimizer}.learning_rate"] = float(f"{rate:.3g}")
    rows = draw(setting.source, round(setting.rows * (1 + (factor - 1) / 4)), seed)
    return Case(name, seed, setting.source, base_of(setting.model, seed), setting.task, rows, options)


def real(name: str) -> str:
    """Folder of a real model, or ``embedded``."""
    return name if name == "embedded" else str(models() / name)
