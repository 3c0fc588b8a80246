"""Every schedule against torch's own scheduler, step by step."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.optim import lr_scheduler

from tuneloop.parts import find, names
from tuneloop.training.schedules import Schedule
from tuneloop.training.section import TrainSection

STEPS = 40


def theirs(make: Any, steps: int = STEPS) -> list[float]:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = make(optimizer)
    rates = []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


def ours(name: str, **options: Any) -> list[float]:
    schedule = find(Schedule, name)(warmup_steps=0, **options)
    return [schedule.at(step, STEPS, []) for step in range(STEPS)]


@pytest.mark.parametrize(
    ("name", "options", "make"),
    [
        ("constant", {}, lambda o: lr_scheduler.ConstantLR(o, factor=1.0)),
        ("linear", {}, lambda o: lr_scheduler.LinearLR(o, 1.0, 0.0, STEPS)),
        ("linear", {"min_lr_rate": 0.2}, lambda o: lr_scheduler.LinearLR(o, 1.0, 0.2, STEPS)),
        ("cosine", {}, lambda o: lr_scheduler.CosineAnnealingLR(o, STEPS)),
        ("cosine", {"min_lr_rate": 0.1}, lambda o: lr_scheduler.CosineAnnealingLR(o, STEPS, eta_min=0.1)),
        ("polynomial", {}, lambda o: lr_scheduler.PolynomialLR(o, STEPS, 2.0)),
        ("polynomial", {"power": 0.5}, lambda o: lr_scheduler.PolynomialLR(o, STEPS, 0.5)),
        ("step", {"step_size": 7, "gamma": 0.5}, lambda o: lr_scheduler.StepLR(o, 7, 0.5)),
        ("step", {"step_size": 0.25, "gamma": 0.1}, lambda o: lr_scheduler.StepLR(o, 10, 0.1)),
    ],
)
def test_rates_equal_torch(name: str, options: dict[str, Any], make: Any) -> None:
    assert ours(name, **options) == pytest.approx(theirs(make), abs=1e-12)


def test_polynomial_with_a_floor_equals_transformers() -> None:
    from transformers import get_polynomial_decay_schedule_with_warmup as polynomial

    expected = theirs(lambda o: polynomial(o, 0, STEPS, lr_end=0.1, power=3.0))
    assert ours("polynomial", power=3.0, min_lr_rate=0.1) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("cycles", [1, 2, 3])
def test_restarts_equal_transformers(cycles: int) -> None:
    from transformers import get_cosine_with_hard_restarts_schedule_with_warmup as restarts

    expected = theirs(lambda o: restarts(o, 0, STEPS, num_cycles=cycles))
    assert ours("cosine_with_restarts", num_cycles=cycles) == pytest.approx(expected, abs=1e-12)


def test_a_restart_can_be_warmed_up_again_in_a_line_and_falls_to_the_floor_every_time() -> None:
    rates = ours("cosine_with_restarts", num_cycles=2, rewarm_steps=4, min_lr_rate=0.1)
    assert rates[20:25] == pytest.approx([0.1 + 0.9 * share for share in (0.2, 0.4, 0.6, 0.8, 1.0)])
    assert rates[:20] == pytest.approx(theirs(lambda o: lr_scheduler.CosineAnnealingLR(o, 20, eta_min=0.1), 20))
    assert rates[24:] == pytest.approx(theirs(lambda o: lr_scheduler.CosineAnnealingLR(o, 16, eta_min=0.1), 16))
    as_share = ours("cosine_with_restarts", num_cycles=2, rewarm_steps=0.2, min_lr_rate=0.1)
    assert as_share == pytest.approx(rates)


@pytest.mark.parametrize(("rule", "times"), [("linear", 4.0), ("sqrt", 2.0)])
def test_the_rate_follows_the_batch(rule: str, times: float) -> None:
    batch = {"size": 64, "learning_rate_scaling": {"rule": rule, "reference": 16}}
    section = TrainSection.model_validate({"batch": batch, "optimizer": {"adamw": {"learning_rate": 1e-3}}})
    assert section.learning_rate == pytest.approx(times * 1e-3)
    assert TrainSection.model_validate({"batch": {"size": 64}}).learning_rate == 2e-4


@pytest.mark.parametrize("form", ["linear", "cosine", "1-sqrt"])
@pytest.mark.parametrize(("given_as", "steps"), [(8, 8), (0.25, 10), (40, 40)])
def test_wsd_equals_transformers(form: str, given_as: float, steps: int) -> None:
    from transformers import get_wsd_schedule

    stable = STEPS - steps
    expected = theirs(
        lambda o: get_wsd_schedule(o, 0, steps, num_stable_steps=stable, decay_type=form, min_lr_ratio=0.1)
    )
    assert ours("wsd", num_decay_steps=given_as, decay_type=form, min_lr_rate=0.1) == pytest.approx(expected, abs=1e-12)


def test_wsd_holds_the_full_rate_until_the_decay_whatever_the_length() -> None:
    schedule = find(Schedule, "wsd")(warmup_steps=5, num_decay_steps=10)
    assert [schedule.at(step, 50, []) for step in range(40)] == [schedule.at(step, 90, []) for step in range(40)]
    assert schedule.at(39, 50, []) == 1.0
    assert schedule.at(49, 50, []) < 0.1


@given(
    losses=st.lists(st.floats(0.1, 5.0), max_size=30),
    patience=st.integers(0, 4),
    floor=st.sampled_from([0.0, 0.05]),
)
def test_plateau_equals_torch(losses: list[float], patience: int, floor: float) -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=patience, min_lr=floor, eps=0.0)
    schedule = find(Schedule, "plateau")(warmup_steps=0, patience=patience, gamma=0.5, min_lr_rate=floor)
    for seen in range(len(losses)):
        scheduler.step(losses[seen])
        assert schedule.at(seen, len(losses), losses[: seen + 1]) == optimizer.param_groups[0]["lr"]


def test_warm_up_climbs_in_a_line_and_never_makes_a_step_at_zero() -> None:
    schedule = find(Schedule, "constant")(warmup_steps=4)
    assert [schedule.at(step, STEPS, []) for step in range(6)] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0, 1.0])


def test_warm_up_below_one_is_a_share_of_all_steps() -> None:
    schedule = find(Schedule, "linear")(warmup_steps=0.1)
    assert schedule.warmup(STEPS) == 4
    assert schedule.at(4, STEPS, []) == 1.0


@pytest.mark.parametrize("name", names(Schedule))
@given(step=st.integers(0, 199), steps=st.integers(1, 200), losses=st.lists(st.floats(0.01, 9.0), max_size=8))
def test_a_factor_is_a_share(name: str, step: int, steps: int, losses: list[float]) -> None:
    assert 0.0 <= find(Schedule, name)().at(min(step, steps - 1), steps, losses) <= 1.0
