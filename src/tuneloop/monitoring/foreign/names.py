"""Names: what other tools call a figure, as tuneloop calls it."""

from __future__ import annotations

from tuneloop.monitoring.history import History
from tuneloop.rows import Signal

_KNOWN = {
    "loss": "train/loss",
    "train_loss": "train/loss",
    "training_loss": "train/loss",
    "lr": "train/learning_rate",
    "learning_rate": "train/learning_rate",
    "grad_norm": "train/grad_norm",
    "gradient_norm": "train/grad_norm",
    "epoch": "train/epoch",
    "val_loss": "validation/loss",
    "valid_loss": "validation/loss",
    "validation_loss": "validation/loss",
    "eval_loss": "validation/loss",
    "test_loss": "validation/loss",
    "token_acc": "train/token_accuracy",
}
_CLOCKS = ("_runtime", "_per_second", "_time", "_flos", "_preparation_time", "elapsed", "remaining", "percentage")
_COUNTS = ("step", "steps", "global_step", "current_steps", "total_steps", "num_tokens", "num_input_tokens_seen")


def known(name: str) -> str | None:
    """The name that tuneloop has for a figure; None for clocks and counts, which say nothing of how a run goes.

    Example:
        >>> known("eval_loss"), known("eval_rewards/accuracies"), known("mean_token_accuracy"), known("eval_runtime")
        ('validation/loss', 'validation/rewards/accuracies', 'train/mean_token_accuracy', None)
    """
    plain = name.strip().lower().replace(" ", "_")
    if plain in _COUNTS or plain.endswith(_CLOCKS) or plain.startswith(("elapsed", "remaining")):
        return None
    if plain.removeprefix("train/") in _KNOWN:
        return _KNOWN[plain.removeprefix("train/")]
    for before, after in (("eval/", "eval_"), ("val/", "eval_"), ("validation/", "eval_")):
        if plain.startswith(before):
            plain = after + plain.removeprefix(before)
    if plain in _KNOWN:
        return _KNOWN[plain]
    if plain.startswith(("eval_", "val_")):
        return f"validation/{plain.partition('_')[2]}"
    return plain if plain.startswith("train/") else f"train/{plain}"


def add(history: History, step: int, figures: dict[str, object]) -> None:
    """Take the figures of one line of a log that are numbers, NaN and infinity included."""
    for name, value in figures.items():
        own = known(name)
        number = _number(value)
        if own is not None and number is not None:
            history.add(Signal(step, own, number, 0.0))


def _number(value: object) -> float | None:
    if isinstance(value, bool) or value is None or value == "":
        return None
    if isinstance(value, int | float | str):
        try:
            return float(value)
        except ValueError:
            return None
    return None
