"""Changes of a recipe as checks advise them: the path, and a value that follows from what the run had."""

from __future__ import annotations

import math

from tuneloop.monitoring.history import History


def rate(history: History, factor: float) -> str:
    """Multiply the learning rate, rounded to two digits; empty where the run's rate is not known.

    Example:
        >>> rate(History(recipe={"train": {"optimizer": {"lion": {"learning_rate": 4e-5}}}}), 0.1)
        'train.optimizer.lion.learning_rate=4e-06'
    """
    path = f"train.optimizer.{history.optimizer}.learning_rate"
    told = history.option(path)
    now = told if isinstance(told, int | float) else max(history.values("train/learning_rate"), default=0.0)
    return f"{path}={now * factor:.2g}" if now > 0 and math.isfinite(now) else ""


def length(history: History, factor: float) -> str:
    """Multiply how long the run trains, in epochs where the recipe says it so, else in optimizer steps.

    Example:
        >>> length(History(recipe={"train": {"num_train_epochs": 3.0}}), 2.0)
        'train.num_train_epochs=6'
    """
    epochs, steps = history.option("train.num_train_epochs"), history.option("train.max_steps")
    if epochs and not isinstance(steps, int):
        return f"train.num_train_epochs={epochs * factor:.2g}"
    made = steps if isinstance(steps, int) else max((step for step, _ in history.series("train/loss")), default=0)
    return f"train.max_steps={max(1, round(made * factor))}" if made else ""


def stride(history: History) -> float:
    """The step that trained weights take well, over their norm: a thousandth, for an adapter that begins small more.

    Source:
        Stanford CS231n, course notes, Neural Networks Part 3, "Ratio of weights:updates" (about a thousandth).
    """
    return 0.015 if history.part("train.adapter", "lora") == "lora" else 0.001
