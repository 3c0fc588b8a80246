"""Which rows make a step, and how they are cut."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneloop.training.batches import cut, order
from tuneloop.training.plan import Plan
from tuneloop.training.section import TrainSection
from tuneloop.training.state import State

lengths = st.lists(st.integers(1, 300), min_size=1, max_size=7)


def cost(parts: list[list[int]], rows: list[int], launch: int) -> int:
    return sum(launch + len(part) * max(rows[row] for row in part) for part in parts)


@given(
    rows=st.lists(st.integers(1, 2000), min_size=1, max_size=64), most=st.integers(1, 16), launch=st.integers(0, 500)
)
def test_every_row_is_in_one_micro_batch_that_is_not_too_large(rows: list[int], most: int, launch: int) -> None:
    parts = cut(rows, most=most, launch=launch)
    assert sorted(itertools.chain(*parts)) == list(range(len(rows)))
    assert all(1 <= len(part) <= most for part in parts)


@given(rows=lengths, most=st.integers(1, 7), launch=st.integers(1, 200))
def test_no_other_cut_of_the_sorted_rows_costs_less(rows: list[int], most: int, launch: int) -> None:
    ranked = sorted(range(len(rows)), key=lambda row: -rows[row])
    every = [split(ranked, bits) for bits in itertools.product([0, 1], repeat=len(rows) - 1)]
    cheapest = min(cost(parts, rows, launch) for parts in every if max(map(len, parts)) <= most)
    assert cost(cut(rows, most=most, launch=launch), rows, launch) == cheapest


def split(ranked: list[int], bits: tuple[int, ...]) -> list[list[int]]:
    parts = [[ranked[0]]]
    for row, new in zip(ranked[1:], bits, strict=True):
        if new:
            parts.append([row])
        else:
            parts[-1].append(row)
    return parts


@given(count=st.integers(1, 200), seed=st.integers(0, 2**31), epoch=st.integers(0, 50))
def test_an_order_follows_from_seed_and_epoch_alone(count: int, seed: int, epoch: int) -> None:
    one = order(count, seed=seed, epoch=epoch).tolist()
    assert one == order(count, seed=seed, epoch=epoch).tolist()
    assert sorted(one) == list(range(count))


@given(rows=st.integers(1, 100), size=st.integers(1, 20), epochs=st.integers(1, 4))
def test_every_epoch_takes_every_row_once(rows: int, size: int, epochs: int) -> None:
    section = TrainSection.model_validate({"num_train_epochs": epochs, "batch": {"size": size}})
    plan = Plan.of(section, rows, log_steps=1)
    state = State()
    for _ in range(plan.steps):
        taken = len(order(rows, seed=0, epoch=state.epoch)[state.row : state.row + size])
        state.went(rows=taken, tokens=0, learned=0, rate=0.0, of=rows)
    assert (state.epoch, state.row, state.rows) == (epochs, 0, epochs * rows)


@given(rows=st.integers(1, 5000), size=st.integers(1, 64), epochs=st.floats(0.1, 10))
def test_the_held_out_loss_is_measured_three_times_or_after_every_step(rows: int, size: int, epochs: float) -> None:
    plan = Plan.of(TrainSection.model_validate({"num_train_epochs": epochs, "batch": {"size": size}}), rows, 1)
    count = sum(plan.evaluates(step) for step in range(1, plan.steps + 1))
    assert count >= min(3, plan.steps)
    assert plan.evaluates(plan.steps)


@pytest.mark.parametrize(
    ("rows", "epochs", "steps", "warns"), [(48, 3, 9, True), (48, 34, 102, False), (2000, 1, 125, False)]
)
def test_a_run_of_hardly_any_steps_is_warned_of_with_epochs_that_are_enough(
    rows: int, epochs: int, steps: int, warns: bool
) -> None:
    plan = Plan.of(TrainSection(num_train_epochs=epochs), rows, log_steps=1)
    assert plan.steps == steps
    assert bool(plan.warning) == warns
    if warns:
        advised = int(plan.warning.rsplit("=", 1)[1])
        assert not Plan.of(TrainSection(num_train_epochs=advised), rows, log_steps=1).warning
