"""Levels and changes with their errors, against noise that was made to order."""

from __future__ import annotations

import math
import random
import statistics

import numpy as np
import pytest

from tuneloop.monitoring import trend
from tuneloop.monitoring.history import History
from tuneloop.monitoring.row_losses import FIELDS, RowLosses
from tuneloop.rows import Signal


def following(chance: random.Random, count: int, share: float) -> list[float]:
    """Noise of which each value keeps a share of the one before."""
    values, last = [], 0.0
    for _ in range(count):
        last = share * last + chance.gauss(0, 1)
        values.append(last)
    return values


@pytest.mark.parametrize(("share", "drift"), [(0.0, 0.0), (0.0, 0.05), (0.6, 0.0)])
def test_the_error_of_a_level_covers_what_other_draws_give(share: float, drift: float) -> None:
    chance = random.Random(1)
    drawn = [
        trend.level([value + drift * at for at, value in enumerate(following(chance, 60, share))]) for _ in range(300)
    ]
    true = statistics.stdev(each.value for each in drawn)
    assert 0.8 * true < statistics.median(each.error for each in drawn) < 1.5 * true


@pytest.mark.parametrize("slope", [0.0, 0.3])
def test_scatter_sees_noise_and_neither_trend_nor_spikes(slope: float) -> None:
    chance = random.Random(2)
    values = [slope * at + chance.gauss(0, 0.5) for at in range(400)]
    values[100] = values[200] = 1e6
    assert trend.scatter(values) == pytest.approx(0.5, rel=0.2)


def evaluated(change: float, noise: float, rows: int = 50) -> RowLosses:
    chance = random.Random(3)
    entries = []
    for row in range(rows):
        loss = chance.lognormvariate(0, 1)
        entries += [(0, row, loss, row + 1), (9, row, loss + change + chance.gauss(0, noise), row + 1)]
    return RowLosses(np.array(entries, dtype=FIELDS))


def test_the_same_rows_are_compared_one_by_one() -> None:
    found = trend.paired(evaluated(0.1, 0.01), 0, 9)
    assert found is not None
    assert found.value == pytest.approx(0.1, abs=0.01)
    assert found.z > 30  # the rows' own spread, a hundred times the change, is not in it


def test_a_change_that_few_rows_make_is_uncertain() -> None:
    found = trend.paired(evaluated(0.0, 1.0, rows=8), 0, 9)
    assert found is not None
    assert abs(found.z) < 3


def test_four_rows_say_nothing() -> None:
    assert trend.paired(evaluated(0.1, 0.0, rows=4), 0, 9) is None


def test_without_rows_the_evaluations_tell_the_noise() -> None:
    chance = random.Random(4)
    losses = [2.0 + chance.gauss(0, 0.1) for _ in range(12)]
    history = History(Signal(step, "validation/loss", loss, 0.0) for step, loss in enumerate(losses))
    found = trend.held_out_change(history, 0, 11)
    assert found is not None
    assert found.error > 0.05
    assert trend.held_out_change(history, 0, 99) is None


def test_what_is_no_number_or_was_measured_twice_is_left_out_of_a_curve() -> None:
    rows = [(1, 2.0), (2, math.nan), (3, 1.5), (3, 1.4), (4, math.inf)]
    history = History(Signal(step, "train/loss", value, 0.0) for step, value in rows)
    assert trend.curve(history, "train/loss") == [(1, 2.0), (3, 1.4)]
