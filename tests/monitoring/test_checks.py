"""Checks on curves with a known fault, and on healthy ones, where they must keep quiet."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuneloop.monitoring.checks import Check, findings
from tuneloop.monitoring.history import History
from tuneloop.parts import find, names
from tuneloop.rows import Finding, Signal


def run(
    train: Callable[[int], float],
    held_out: Callable[[int], float] | None = None,
    *,
    norm: Callable[[int], float] = lambda step: 0.8,
    steps: int = 120,
    every: int = 20,
) -> History:
    history = History()

    def add(step: int, name: str, value: float) -> None:
        history.add(Signal(step, name, value, 0.0))

    if held_out:
        add(0, "validation/loss", held_out(0))
    for step in range(1, steps + 1):
        add(step, "train/loss", train(step))
        add(step, "train/grad_norm", norm(step))
        add(step, "train/learning_rate", 2e-4)
        if held_out and step % every == 0:
            add(step, "validation/loss", held_out(step))
    return history


def seen(history: History) -> dict[str, Finding]:
    return {finding.check: finding for finding in findings((find(Check, name)() for name in names(Check)), history)}


def alarms(history: History) -> set[str]:
    return {name for name, finding in seen(history).items() if finding.severity in ("warning", "error")}


def falling(step: int, *, start: float = 3.0, floor: float = 1.5, pace: float = 40.0) -> float:
    return floor + (start - floor) * math.exp(-step / pace)


def test_a_healthy_run_is_praised_and_raises_no_alarm() -> None:
    noise = random.Random(1)
    history = run(lambda step: falling(step) + noise.gauss(0, 0.1), lambda step: falling(step, floor=1.6))
    found = seen(history)
    assert set(found) == {"converging"}
    assert found["converging"].severity == "good"
    assert "3.000" in found["converging"].evidence


def test_overfitting_is_found_at_its_lowest_point() -> None:
    history = run(lambda step: falling(step, floor=0.2), lambda step: 2.0 + abs(step - 60) / 60)
    found = seen(history)["overfit"]
    assert (found.first_step, found.last_step) == (60, 120)
    assert found.change == "train.max_steps=60"
    assert "converging" not in seen(history)


def test_a_held_out_loss_that_wavers_is_no_overfitting() -> None:
    noise = random.Random(2)
    history = run(lambda step: falling(step), lambda step: 1.7 + noise.uniform(-0.02, 0.02))
    assert "overfit" not in seen(history)


def test_a_flat_loss_is_underfitting_with_a_higher_rate_as_advice() -> None:
    history = run(lambda step: 3.0 - 0.0001 * step, lambda step: 3.0)
    history.recipe = {"train": {"optimizer": {"sgd": {}}}}
    found = seen(history)["underfit"]
    assert found.severity == "warning"
    assert found.change == "train.optimizer.sgd.learning_rate=0.001"


def test_a_climbing_loss_diverges_with_a_lower_rate_as_advice() -> None:
    history = run(lambda step: falling(min(step, 40)) + max(0, step - 40) * 0.05)
    found = seen(history)["diverging"]
    assert found.severity == "error"
    assert found.change == "train.optimizer.adamw.learning_rate=4e-05"


def test_a_noisy_loss_does_not_diverge() -> None:
    noise = random.Random(3)
    assert "diverging" not in seen(run(lambda step: max(0.05, 1.0 + noise.gauss(0, 0.5))))


def test_a_spike_that_comes_back_does_not_diverge() -> None:
    assert "diverging" not in seen(run(lambda step: 9.0 if 50 <= step < 55 else falling(step)))


def test_no_gradient_at_a_high_loss_is_vanishing() -> None:
    history = run(lambda step: 2.0, norm=lambda step: 1e-8)
    assert "vanishing" in seen(history)
    assert "1.0e-08" in seen(history)["vanishing"].evidence


def test_a_small_gradient_at_no_loss_is_a_finished_run() -> None:
    assert "vanishing" not in seen(run(lambda step: 0.001, norm=lambda step: 1e-8))


def test_gradients_that_stay_above_ten_explode() -> None:
    found = seen(run(falling, norm=lambda step: 40.0 if step > 100 else 1.0))["exploding"]
    assert (found.first_step, found.last_step) == (111, 120)
    assert "40.0" in found.evidence


@pytest.mark.parametrize("spikes", [{50}, set(range(1, 9)), {118, 120}])
def test_a_few_large_gradients_are_no_explosion(spikes: Iterable[int]) -> None:
    assert "exploding" not in seen(run(falling, norm=lambda step: 80.0 if step in spikes else 1.0))


@settings(deadline=None)
@given(
    start=st.floats(1.0, 6.0),
    share=st.floats(0.1, 0.8),
    pace=st.floats(0.1, 0.4),
    noise=st.floats(0.0, 0.1),
    gap=st.floats(0.0, 0.2),
    seed=st.integers(0, 1000),
    steps=st.integers(30, 300),
)
def test_healthy_runs_of_any_shape_raise_no_alarm(
    start: float, share: float, pace: float, noise: float, gap: float, seed: int, steps: int
) -> None:
    chance = random.Random(seed)

    def clean(step: int) -> float:
        return start * (share + (1 - share) * math.exp(-step / (pace * steps)))

    history = run(
        lambda step: clean(step) * (1 + chance.gauss(0, noise)),
        lambda step: clean(step) * (1 + gap * step / steps * (1 - share) * 0.1),
        norm=lambda step: abs(chance.gauss(1.0, 0.5)) + 0.01,
        steps=steps,
        every=max(1, steps // 6),
    )
    assert alarms(history) == set()


@pytest.mark.parametrize("name", names(Check))
def test_an_empty_history_shows_nothing(name: str) -> None:
    assert find(Check, name)().look(History()) is None
