"""Healthy runs of all kinds, drawn by chance: how often any check raises an alarm."""

from __future__ import annotations

import math
import random
from collections import Counter
from typing import Any

from tuneloop.monitoring.checks import Check, findings
from tuneloop.monitoring.history import History
from tuneloop.parts import find, names
from tuneloop.rows import Signal

RUNS = 400
KINDS = ("sft", "classes", "preference", "pretrain", "low start")
STARTS = {"sft": (1.5, 8.0), "classes": (0.4, 2.5), "preference": (0.693, 0.693), "pretrain": (3.0, 11.0)}
FLOORS = {"sft": (0.3, 0.8), "classes": (0.01, 0.5), "preference": (0.2, 0.9), "pretrain": (0.4, 0.9)}


def healthy(seed: int) -> tuple[str, History]:
    """A run that learns: a power law with noise that is skewed and follows itself, at a rate as runs have it."""
    chance = random.Random(seed)
    kind, steps = chance.choice(KINDS), round(math.exp(chance.uniform(math.log(12), math.log(500))))
    start = chance.uniform(*STARTS.get(kind, (1.0, 3.0)))
    floor = start * chance.uniform(*FLOORS.get(kind, (0.9, 0.97)))
    power, pace = chance.uniform(0.5, 1.5), chance.uniform(0.02, 0.15) * steps
    size = chance.choice((1, 2, 4, 8, 16, 64))
    noise, follows = chance.uniform(0.02, 0.5) / math.sqrt(size), chance.uniform(0.0, 0.4)
    warmup, schedule = chance.uniform(0.0, 0.1) * steps, chance.choice(("cosine", "linear", "constant"))
    evaluations = chance.choice((0, 3, 4, 6, 10))
    wobble, gap, rate = chance.uniform(0.0, 0.006), chance.uniform(0.0, 0.15), 10 ** chance.uniform(-5.5, -2.5)
    epochs, steep = chance.choice((1.0, 2.0, 3.0)), chance.uniform(1.0, 40.0)

    def clean(step: float) -> float:
        gone = max(0.0, step - warmup / 2)
        return floor + (start - floor) * (1 + gone / pace) ** -power

    def share(step: int) -> float:
        if step < warmup:
            return step / warmup
        done = (step - warmup) / max(1.0, steps - warmup)
        return {"cosine": (1 + math.cos(math.pi * done)) / 2, "linear": 1 - done, "constant": 1.0}[schedule]

    history = History(recipe=recipe(size, rate, schedule, epochs, chance.choice((8, 16, 64))))
    drift = 0.0
    for step in range(steps + 1):
        figures = {}
        if step:
            drift = follows * drift + chance.gauss(0, noise)
            seen = 1 - gap * step / steps if epochs > 1 else 1.0
            figures = {
                "train/loss": clean(step) * seen * math.exp(drift - noise**2 / 2),
                "train/learning_rate": rate * share(step),
                "train/grad_norm": (0.5 + steep * clean(step) / start / (1 + step / pace))
                * math.exp(chance.gauss(0, 0.4)),
                "train/epoch": epochs * step / steps,
            }
        if evaluations and (step % max(1, steps // evaluations) == 0 or step == steps):
            figures["validation/loss"] = clean(step) * 1.02 * math.exp(chance.gauss(0, wobble))
        for name, value in figures.items():
            history.add(Signal(step, name, value, 0.0))
    return kind, history


def recipe(size: int, rate: float, schedule: str, epochs: float, rank: int) -> dict[str, Any]:
    train = {
        "adapter": {"lora": {"r": rank, "lora_alpha": 2 * rank}},
        "optimizer": {"adamw": {"learning_rate": rate}},
        "schedule": {schedule: {}},
        "batch": {"size": size},
        "num_train_epochs": epochs,
        "max_grad_norm": 1.0,
        "stop": {"patience": 3},
    }
    return {"train": train}


def test_less_than_one_healthy_run_in_a_hundred_raises_an_alarm() -> None:
    checks = [find(Check, name)() for name in names(Check)]
    alarms: Counter[str] = Counter()
    for seed in range(RUNS):
        kind, history = healthy(seed)
        alarms.update(
            f"{finding.check} in {kind} (seed {seed}): {finding.evidence}"
            for finding in findings(checks, history)
            if finding.severity in ("warning", "error")
        )
    assert len(alarms) < RUNS / 100, "\n".join(alarms)
