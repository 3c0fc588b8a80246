"""Curves and norms with one planted fault each: it is named, its change holds, and what follows from it comes after."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from tuneloop.monitoring.checks import Check, findings
from tuneloop.monitoring.history import History
from tuneloop.monitoring.row_losses import FIELDS, RowLosses
from tuneloop.parts import find
from tuneloop.recipe import load
from tuneloop.rows import Finding, Signal

CURVES = [
    "capacity", "converging", "dead", "diverging", "exploding", "noisy", "not_finite", "overfit", "plateau",
    "rate_too_high", "rate_too_low", "spikes", "underfit", "vanishing",
]  # fmt: skip
"""The checks that read curves; those that read single rows have tests of their own."""
RECIPE = {"name": "x", "data": {"sources": ["rows.jsonl"]}, "model": {"base": "embedded"}}


def history(
    train: Callable[[int], float],
    held_out: Callable[[int], float] | None = None,
    *,
    steps: int = 100,
    every: int = 20,
    changes: tuple[str, ...] = (),
    rate: Callable[[int], float] = lambda step: 2e-4,
    **others: Callable[[int], float],
) -> History:
    """A run with the resolved recipe that the changes give; other figures by name, two underscores for a slash."""
    made = History(recipe=load(RECIPE, list(changes)).model_dump(mode="json"))

    def add(step: int, name: str, value: float) -> None:
        made.add(Signal(step, name, value, 0.0))

    if held_out:
        add(0, "validation/loss", held_out(0))
    for step in range(1, steps + 1):
        add(step, "train/loss", train(step))
        add(step, "train/learning_rate", rate(step))
        add(step, "train/epoch", 3 * step / steps)
        for name, figure in others.items():
            add(step, name.replace("__", "/").replace("_of_", "."), figure(step))
        if held_out and step % every == 0:
            add(step, "validation/loss", held_out(step))
    return made


def seen(made: History) -> dict[str, Finding]:
    return {finding.check: finding for finding in findings((find(Check, name)() for name in CURVES), made)}


def falling(step: int, start: float = 4.0, floor: float = 1.5, pace: float = 25.0) -> float:
    return floor + (start - floor) * math.exp(-step / pace)


def thrown(step: int) -> float:
    return 4.0 + 6.0 * math.exp(-(((step - 8) / 6) ** 2)) - 0.01 * step


def too_low() -> History:
    rates = [2e-7 * (1 + math.cos(math.pi * step / 100)) / 2 for step in range(101)]
    noise = random.Random(1)
    gained = [sum(rates[: step + 1]) / sum(rates) for step in range(101)]
    return history(
        lambda step: 4.0 - 0.01 * gained[step] + noise.gauss(0, 0.3),
        lambda step: 4.0 - 0.01 * gained[step],
        rate=lambda step: rates[step],
        changes=("train.optimizer.adamw.learning_rate=2e-7",),
    )


def groups(norms: dict[str, float], **more: Any) -> History:
    wanted = {f"train__grad_norm__{name.replace('.', '_of_')}": norm for name, norm in norms.items()}
    figures = {name: (lambda step, norm=norm: norm) for name, norm in wanted.items()}
    return history(falling, falling, train__grad_norm=lambda step: max(norms.values()), **figures, **more)


def by_heart(*changes: str) -> History:
    """The held-out loss is lowest after three of five evaluations."""
    return history(lambda s: falling(s, floor=0.1), lambda s: 2.0 + abs(s - 60) / 60, changes=changes)


def one_row_a_step(ratio: float) -> History:
    return history(
        wavering(3.0, 0.4),
        lambda s: falling(s, floor=3.0, pace=10),
        changes=TINY,
        train__update_ratio=lambda s: ratio,
        train__noise_share=lambda s: 0.99,
    )


LAYERS = {f"layers.{number:02}": 1.0 for number in range(6)}
LORA_1 = ('train.adapter={"lora": {"r": 1, "lora_alpha": 4, "target_modules": ["q_proj"]}}',)
TINY = ("train.batch.size=1", "train.schedule=constant")

FAULTS: dict[str, tuple[str, Callable[[], History]]] = {
    "a rate that throws the model off": ("rate_too_high", lambda: history(thrown, lambda step: thrown(step) + 0.1)),
    "a rate too low": ("rate_too_low", too_low),
    "a run that runs away": ("diverging", lambda: history(lambda s: falling(min(s, 40)) + max(0, s - 40) * 0.02)),
    "rows by heart": ("overfit", lambda: by_heart("train.stop=null")),
    "a frozen adapter": ("dead", lambda: history(lambda s: 3.0, train__grad_norm=lambda s: 0.0)),
    "layers that are cut off": (
        "dead",
        lambda: groups({**LAYERS, "layers.02": 0.0, "layers.03": 0.0}),
    ),
    "first weights too small": (
        "vanishing",
        lambda: groups({**dict.fromkeys(LAYERS, 1e-6), "embedding": 1.0}, changes=("model.init=random",)),
    ),
    "a loud layer": ("exploding", lambda: groups({**LAYERS, "layers.04": 0.02, "layers.05": 0.03})),
    "norms that grow": (
        "exploding",
        lambda: history(falling, train__grad_norm=lambda s: 1.0 if s < 60 else 40.0),
    ),
    "no number": ("not_finite", lambda: history(lambda s: math.nan if s == 70 else falling(s))),
    "rank one": ("capacity", lambda: history(lambda s: falling(s, floor=3.0, pace=10), falling_high, changes=LORA_1)),
    "one row a step": ("noisy", lambda: one_row_a_step(0.2)),
}


def falling_high(step: int) -> float:
    return falling(step, floor=3.02, pace=10)


def wavering(floor: float, noise: float) -> Callable[[int], float]:
    chance = random.Random(3)
    return lambda step: falling(step, floor=floor, pace=10) * math.exp(chance.gauss(0, noise) - noise**2 / 2)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_the_first_thing_told(fault: str) -> None:
    cause, made = FAULTS[fault]
    run = made()
    told = findings((find(Check, name)() for name in CURVES), run)
    assert told[0].check == cause
    assert told[0].severity in ("warning", "error")
    assert any(character.isdigit() for character in told[0].evidence)


@pytest.mark.parametrize("fault", FAULTS)
def test_the_change_that_is_advised_makes_another_valid_recipe(fault: str) -> None:
    _, made = FAULTS[fault]
    run = made()
    for finding in seen(run).values():
        if finding.change:
            changed = load(dict(run.recipe), [finding.change]).model_dump(mode="json")
            assert changed != run.recipe, finding.change


def test_a_rate_that_hardly_teaches_is_raised_by_what_was_seen() -> None:
    found = seen(too_low())["rate_too_low"]
    rate = float(found.change.partition("=")[2])
    assert 1e-5 < rate < 2e-3


def test_a_healthy_run_that_gained_little_is_no_rate_too_low() -> None:
    curve = lambda step: falling(step, start=3.13, floor=3.10, pace=8)  # noqa: E731
    assert "rate_too_low" not in seen(history(curve, curve))


def test_a_higher_rank_keeps_the_scale_and_takes_every_layer() -> None:
    found = seen(FAULTS["rank one"][1]())["capacity"]
    adapter = load(RECIPE, [found.change]).train.adapter.model_dump()
    assert (adapter["r"], adapter["lora_alpha"], adapter["target_modules"]) == (16, 64, "all-linear")


def test_a_rank_of_eight_is_not_suspected() -> None:
    assert "capacity" not in seen(history(lambda s: falling(s, floor=3.0, pace=10), falling_high))


def test_small_steps_at_a_falling_rate_are_healthy() -> None:
    made = history(
        wavering(3.0, 0.4),
        lambda step: falling(step, floor=3.0, pace=10),
        rate=lambda step: 2e-4 * (1 - step / 101),
        changes=("train.batch.size=1",),
    )
    assert "noisy" not in seen(made)


def test_small_steps_of_a_small_rate_are_at_most_a_note() -> None:
    assert seen(one_row_a_step(0.001))["noisy"].severity == "note"


def test_layers_that_differ_as_those_of_real_models_do_are_healthy() -> None:
    norms = {"layers.00": 4.0, "layers.01": 2.0, "layers.02": 1.0, "layers.03": 0.6, "layers.04": 0.5, "embedding": 9.0}
    told = seen(groups(norms))
    assert {"exploding", "vanishing", "dead"} & set(told) == set()


def test_the_start_of_lora_is_not_vanishing() -> None:
    assert "vanishing" not in seen(groups(LAYERS))


def test_norms_that_are_large_throughout_are_healthy() -> None:
    assert "exploding" not in seen(history(falling, train__grad_norm=lambda s: 60.0 + s % 3))


def test_the_layer_that_explodes_is_named() -> None:
    assert "layers.03" in seen(FAULTS["a loud layer"][1]())["exploding"].evidence


def test_layers_without_a_gradient_are_named() -> None:
    assert "layers.02, layers.03" in seen(FAULTS["layers that are cut off"][1]())["dead"].evidence


def test_early_stopping_that_worked_is_a_note() -> None:
    made = by_heart("train.stop.patience=2")
    assert seen(made)["overfit"].severity == "note"


def test_what_follows_from_a_cause_is_a_note_behind_it() -> None:
    noise = random.Random(2)
    made = history(
        lambda step: thrown(step) + noise.gauss(0, 0.01), train__grad_norm=lambda step: 1.0 if step < 30 else 90.0
    )
    told = findings((find(Check, name)() for name in CURVES), made)
    assert told[0].check == "rate_too_high"
    exploding = next(finding for finding in told if finding.check == "exploding")
    assert (exploding.severity, exploding.change) == ("note", "")
    assert "rate_too_high" in exploding.advice


@dataclass
class Says:
    """Stands for a check that sees something in any run."""

    name: str
    explains: tuple[str, ...]

    def look(self, made: History) -> Finding:
        return Finding(self.name, "warning", 0, 1, "seen", "do something")


def test_checks_that_explain_each_other_do_not_all_vanish() -> None:
    checks: list[Any] = [Says("a", ("b",)), Says("b", ("c",)), Says("c", ("a",))]
    told = findings(checks, History())
    assert [finding.severity for finding in told] == ["warning", "note", "note"]
    assert told[0].check == "a"


def test_rows_of_a_spike_are_named_worst_first() -> None:
    made = history(lambda step: 30.0 if step == 50 else 20.0 if step == 70 else falling(step) + 0.01 * (step % 5))
    entries = [(50, 7, 55.0, 9), (50, 8, 5.0, 9), (70, 9, 35.0, 9), (70, 1, 3.0, 9)]
    made.train_rows = RowLosses(np.array(entries, dtype=FIELDS), lambda row: f"rows.jsonl:{row}")
    found = seen(made)["spikes"]
    assert found.severity == "note"
    assert found.rows == ("rows.jsonl:7", "rows.jsonl:9")


def test_rows_whose_loss_is_no_number_are_named() -> None:
    made = history(lambda step: math.nan if step == 70 else falling(step))
    entries = [(70, 3, 2.0, 9), (70, 4, math.nan, 9)]
    made.train_rows = RowLosses(np.array(entries, dtype=FIELDS), lambda row: f"rows.jsonl:{row}")
    found = seen(made)["not_finite"]
    assert found.rows == ("rows.jsonl:4",)
    assert not found.change  # no rate mends a row


def test_weights_that_overflowed_are_advised_a_lower_rate() -> None:
    made = history(lambda step: math.nan if step == 70 else falling(step))
    entries = [(70, 3, math.nan, 9), (70, 4, math.nan, 9)]
    made.train_rows = RowLosses(np.array(entries, dtype=FIELDS), lambda row: f"rows.jsonl:{row}")
    assert "learning_rate=2e-05" in seen(made)["not_finite"].change


def test_a_loud_layer_is_clipped_first_and_else_unlearned_by_larger_steps() -> None:
    loud = {**LAYERS, "layers.04": 0.02, "layers.05": 0.03}
    assert seen(groups(loud, changes=("train.max_grad_norm=null",)))["exploding"].change == "train.max_grad_norm=1.0"
    assert "learning_rate=0.0006" in seen(groups(loud))["exploding"].change
