"""Paired tests agree with scipy, with published figures, and with what they promise of made-up rows."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuneloop.evaluation.interval import MANY, bootstrap, wilson
from tuneloop.evaluation.paired import compare, detectable, holm, mcnemar, newcombe, permutation


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 300), st.integers(0, 300))
def test_mcnemar_is_the_exact_binomial_test(higher: int, lower: int) -> None:
    stats = pytest.importorskip("scipy.stats")
    expected = stats.binomtest(higher, higher + lower).pvalue if higher + lower else 1.0
    assert mcnemar(higher, lower) == pytest.approx(expected, rel=1e-9)


def rows(both: int, up: int, down: int, neither: int) -> tuple[list[float], list[float]]:
    first = [1.0] * both + [0.0] * up + [1.0] * down + [0.0] * neither
    second = [1.0] * both + [1.0] * up + [0.0] * down + [0.0] * neither
    return first, second


def test_the_interval_of_two_shares_is_newcombes_own_example() -> None:
    """Newcombe 1998, table III: 36, 12, 2 and 0 of 50."""
    assert newcombe(*rows(36, 12, 2, 0)) == pytest.approx((0.0569, 0.3404), abs=1e-4)


def test_the_interval_of_two_shares_holds_the_truth_as_often_as_it_says() -> None:
    random = np.random.default_rng(0)
    held = 0
    for _ in range(400):
        kinds = random.choice(4, 60, p=[0.6, 0.2, 0.08, 0.12])
        low, high = newcombe(*rows(*(int((kinds == kind).sum()) for kind in range(4))))
        held += low <= 0.12 <= high
    assert held / 400 >= 0.93


def test_all_right_against_all_wrong_claims_no_certainty() -> None:
    found = compare([0.0] * 20, [1.0] * 20, seed=0)
    assert found.difference == 1.0 and 0.7 < found.low < 1.0 and found.high == 1.0
    assert found.p == pytest.approx(2 / 2**20)


def test_permutation_is_scipys() -> None:
    stats = pytest.importorskip("scipy.stats")
    random = np.random.default_rng(3)
    for size, shift in ((8, 0.8), (60, 0.25)):
        changes = random.normal(shift, 1, size)
        told = stats.permutation_test(
            (changes,), np.sum, permutation_type="samples", n_resamples=20000, rng=np.random.default_rng(1)
        )
        assert permutation(list(changes), seed=0) == pytest.approx(told.pvalue, abs=0.012 if size > 12 else 1e-9)


def test_many_rows_are_judged_by_the_normal_distribution_as_by_draws() -> None:
    random = np.random.default_rng(5)
    changes = list(random.normal(0.03, 1, 4000))
    stats = pytest.importorskip("scipy.stats")
    assert permutation(changes, seed=0) == pytest.approx(stats.ttest_1samp(changes, 0).pvalue, abs=0.005)
    values, weights = random.normal(3, 1, MANY) * 10, random.integers(5, 15, MANY)
    many = bootstrap(list(values), weights=list(weights), seed=0)
    few = bootstrap(list(values[:-1]), weights=list(weights[:-1]), seed=0)
    assert (many.low, many.high) == pytest.approx((few.low, few.high), abs=0.01)


def test_no_difference_is_never_called_one_more_often_than_one_in_twenty() -> None:
    random = np.random.default_rng(7)
    found = 0
    for trial in range(200):
        hard = random.gamma(1.0, 2.0, 40)
        first, second = hard + random.normal(0, 0.3, 40), hard + random.normal(0, 0.3, 40)
        found += permutation(list(second - first), seed=trial) < 0.05
    assert found <= 18  # 10 expected, 2.6 standard deviations


def test_what_is_called_detectable_is_detected_four_times_in_five() -> None:
    random = np.random.default_rng(9)
    least = detectable(list(random.normal(0, 1, 100)))
    seen = sum(permutation(list(random.normal(least, 1, 100)), seed=0) < 0.05 for _ in range(80))
    assert 0.66 <= seen / 80 <= 0.93
    assert least == pytest.approx(2.8016 / 10, rel=0.25)


def test_of_right_and_wrong_six_rows_at_least_must_change() -> None:
    assert compare([1.0] * 180, [1.0] * 180, seed=0).detectable == pytest.approx(6 / 180)
    assert mcnemar(6, 0) < 0.05 < mcnemar(5, 0)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_raises_in_order_and_never_beyond_bonferroni(chances: list[float]) -> None:
    raised = holm(chances)
    assert all(p <= up <= min(1.0, p * len(chances)) + 1e-12 for p, up in zip(chances, raised, strict=True))
    order = sorted(range(len(chances)), key=chances.__getitem__)
    assert [raised[place] for place in order] == sorted(raised)


def test_a_loss_is_compared_per_token_and_rows_are_drawn_whole() -> None:
    found = compare([10.0, 30.0, 3.0], [9.0, 24.0, 2.4], weights=[10, 20, 3], seed=0)
    assert found.difference == pytest.approx((35.4 - 43.0) / 33)
    assert found.p == 0.25 and found.lower == 3


@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.99])
def test_wilson_is_scipys_at_any_confidence(confidence: float) -> None:
    stats = pytest.importorskip("scipy.stats")
    told = stats.binomtest(17, 40).proportion_ci(confidence, method="wilson")
    found = wilson(17, 40, confidence)
    assert (found.low, found.high) == pytest.approx((told.low, told.high), rel=1e-9)
    assert math.isclose(found.mean, 17 / 40)
