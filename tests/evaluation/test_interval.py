"""Intervals against known cases."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneloop.evaluation.interval import bootstrap, mean, wilson


def test_wilson_is_the_textbook_case() -> None:
    # Newcombe 1998, table I: 81 of 263 gives 0.2553 to 0.3662
    found = wilson(81, 263)
    assert (found.mean, found.low, found.high) == pytest.approx((81 / 263, 0.2553, 0.3662), abs=5e-5)


def test_all_right_is_not_certainty() -> None:
    # Newcombe 1998, table I: 0 of 20 gives 0 to 0.1611
    assert wilson(0, 20).high == pytest.approx(0.1611, abs=5e-5)
    assert mean([1.0] * 20, seed=0).low == pytest.approx(1 - 0.1611, abs=5e-5)
    assert mean([1.0] * 20, seed=0).high == 1.0


def test_the_bootstrap_agrees_with_the_normal_interval_on_many_rows() -> None:
    draw = random.Random(0)
    values = [draw.gauss(0.5, 0.1) for _ in range(500)]
    found = bootstrap(values, seed=1)
    average = sum(values) / 500
    spread = math.sqrt(sum((value - average) ** 2 for value in values) / 500 / 500)
    assert found.mean == pytest.approx(average)
    assert found.low == pytest.approx(average - 1.96 * spread, abs=0.1 * spread)
    assert found.high == pytest.approx(average + 1.96 * spread, abs=0.1 * spread)


def test_the_bootstrap_holds_the_truth_about_95_times_in_100() -> None:
    draw = random.Random(7)
    held = 0
    for trial in range(100):
        found = bootstrap([draw.uniform(0, 1) for _ in range(60)], seed=trial)
        held += found.low <= 0.5 <= found.high
    assert 88 <= held <= 99


def test_equal_rows_have_no_width_and_the_same_seed_gives_the_same_interval() -> None:
    assert bootstrap([0.25] * 9, seed=3).low == bootstrap([0.25] * 9, seed=3).high == 0.25
    values = [1 / (1 + n) for n in range(50)]
    assert bootstrap(values, seed=3) == bootstrap(values, seed=3)
    assert bootstrap(values, seed=3) != bootstrap(values, seed=4)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_the_mean_lies_in_its_interval_and_the_interval_in_the_scale(values: list[float]) -> None:
    found = mean(values, seed=0)
    assert -1e-12 <= found.low <= found.high <= 1 + 1e-12
    assert found.n == len(values)
