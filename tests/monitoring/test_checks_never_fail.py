"""Whatever a log holds, no check breaks on it: zeros, single points, constants, huge figures, and no numbers."""

from __future__ import annotations

import math
import random
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tuneloop.monitoring.checks import Check, findings
from tuneloop.monitoring.history import History
from tuneloop.monitoring.row_losses import FIELDS, RowLosses
from tuneloop.parts import find, names
from tuneloop.rows import Signal

CHECKS = [find(Check, name)() for name in names(Check)]
STEPS = (
    "train/loss", "train/learning_rate", "train/grad_norm", "train/epoch", "train/update_ratio", "train/noise_share",
    "train/clipped", "train/grad_norm/embedding", "train/grad_norm/layers.00", "train/grad_norm/layers.01",
)  # fmt: skip
EVALUATIONS = (
    "validation/loss", "validation/loss/end", "validation/end_probability", "validation/end_early",
    "validation/shuffled_loss", "validation/shuffled_loss/error", "validation/loss/source/a",
    "validation/loss/source/b", "general/loss", "general/loss/error", "samples/stopped",
)  # fmt: skip
FACTS = (
    "data/train/examples", "data/train/tokens", "data/train/learned_tokens", "data/train/repeated",
    "data/train/near_repeated", "data/validation/seen", "data/validation/examples", "data/train/ended",
    "data/train/unfinished", "data/train/cut", "data/train/markers", "data/train/kinship", "data/train/kinship/error",
    "data/train/strangers", "data/train/labels", "data/train/label_entropy", "data/train/label_gain",
    "data/train/label_gain/error", "data/train/clear_wrong", "data/train/unclear_wrong", "template/own",
    "template/own_loss", "template/used_loss", "template/error", "model/vocabulary", "model/trained", "model/context",
)  # fmt: skip
RECIPES: tuple[dict[str, Any], ...] = (
    {},
    {
        "task": {"sft": {"learn_from": "last"}},
        "data": {"split": {"near": None}, "transforms": [{"trim": {}}]},
        "train": {
            "adapter": {"lora": {"r": 1, "lora_alpha": 2, "target_modules": ["q_proj"]}},
            "optimizer": {"adamw": {"learning_rate": 0.0}},
            "batch": {"size": 1},
            "max_length": 64,
            "stop": {"patience": 1},
            "num_train_epochs": 3.0,
        },
    },
    {"task": {"text_classification": {}}, "train": {"optimizer": "lion", "max_steps": 5, "precision": "fp16"}},
)
FIGURES = (0.0, 0.0, 1.0, 0.5, -1.0, 1e-30, 1e30, math.nan, math.inf, -math.inf)


def figure(chance: random.Random) -> float:
    return chance.choice(FIGURES) if chance.random() < 0.5 else chance.uniform(-1, 10)


def series(chance: random.Random) -> list[float]:
    count, kind = chance.choice((0, 1, 2, 3, 5, 24, 60)), chance.choice(("constant", "zeros", "line", "noise", "any"))
    start = 0.0 if kind == "zeros" else figure(chance)
    by, noise = chance.choice((-0.01, 0.1)) * (kind == "line"), 0.3 * (kind == "noise")
    if kind == "any":
        return [figure(chance) for _ in range(count)]
    return [start + by * place + chance.gauss(0, noise) for place in range(count)]


def drawn(seed: int) -> History:
    chance = random.Random(seed)
    history = History(recipe=chance.choice(RECIPES))
    for name in (*STEPS, *EVALUATIONS):
        every = chance.choice((1, 5, 10)) if name in EVALUATIONS else 1
        for place, value in enumerate(series(chance)):
            history.add(Signal(place * every + (name in STEPS), name, value, 0.0))
    for name in FACTS:
        if chance.random() < 0.5:
            history.add(Signal(0, name, figure(chance), 0.0))
    if chance.random() < 0.5:
        history.train_rows, history.validation_rows = rows(chance), rows(chance)
    return history


def rows(chance: random.Random) -> RowLosses:
    count, met = chance.choice((0, 1, 4, 12)), chance.randint(1, 3)
    entries = np.zeros(count * met, FIELDS)
    for place in range(count * met):
        entries[place] = (place // 2, place % max(1, count), min(figure(chance), 1e30), 1 + place % 3)
    return RowLosses(entries, str)


@settings(max_examples=400, deadline=None)
@given(st.integers(0, 2**40))
def test_no_check_breaks_and_every_finding_is_whole(seed: int) -> None:
    with np.errstate(all="ignore"):
        for finding in findings(CHECKS, drawn(seed)):
            assert finding.evidence
            assert finding.advice
            assert "nan" not in finding.change
            assert not finding.change.endswith(("=0", "=inf"))
