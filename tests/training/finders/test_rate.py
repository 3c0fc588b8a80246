"""The learning rate: what the range test marks, what the short runs choose, and that nothing is left behind."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.training.conftest import Bench

from tuneloop.training.finders.asked import Asked
from tuneloop.training.finders.picture import picture
from tuneloop.training.finders.rate import Rate, Swept, find_rate, marks
from tuneloop.training.finders.trials import Measured, Trials


def sweep(noise: float, seed: int, *, best: float = 1e-2, gain: float = 1.0) -> list[Swept]:
    """A range test as it looks: no gain, a rise over a decade and a half, a fall behind the best rate."""
    draw = np.random.default_rng(seed)
    rates = np.geomspace(1e-7, 1, 100)
    x = np.log10(rates / best)
    gains = gain / (1 + np.exp(-4 * (x + 1.2))) - 3 * gain * np.clip(x, 0, None) ** 2
    gains = gains + noise * draw.normal(size=100)
    return [Swept(rate, 3 - each, each) for rate, each in zip(rates.tolist(), gains.tolist(), strict=True)]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.floats(1e-5, 1e-1), st.floats(1e-3, 1e3))
def test_the_marks_are_found_wherever_they_are_and_whatever_the_loss_is_measured_in(
    seed: int, best: float, gain: float
) -> None:
    steepest, divergence = marks(sweep(0.05 * gain, seed, best=best, gain=gain))
    assert divergence is not None and best / 2 < divergence < 10 * best
    assert steepest is None or steepest < 2 * best


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000))
def test_noise_alone_shows_no_divergence(seed: int) -> None:
    draw = np.random.default_rng(seed)
    flat = [Swept(float(rate), 3.0, float(draw.normal())) for rate in np.geomspace(1e-7, 1e-2, 60)]
    _, divergence = marks(flat)
    assert divergence is None or divergence > 1e-7


def test_a_loss_that_is_no_number_is_the_divergence() -> None:
    rates = np.geomspace(1e-6, 1e-2, 30)
    swept = [Swept(float(rate), 1.0, 0.0) for rate in rates[:-1]] + [Swept(0.5, float("inf"), float("-inf"))]
    assert marks(swept)[1] == 0.5


def test_paired_groups_tell_a_small_difference_that_unpaired_ones_would_not() -> None:
    draw = np.random.default_rng(0)
    terms = np.full(12, 50.0)
    hard = draw.normal(3, 1, 12) * terms
    above, error = Measured(hard + 0.02 * terms, terms).above(Measured(hard, terms))
    assert above == pytest.approx(0.02)
    assert error < 1e-9


def test_a_trial_begins_where_the_one_before_began(asked: Callable[..., Asked]) -> None:
    with asked().opened() as (_, learner):
        trials = Trials(learner)
        before = trials.measure()
        once, again = trials.run(5, 1e-2, [5]), trials.run(5, 1e-2, [5])
        trials.put_back()
        after = trials.measure()
    assert (once[0].sums == again[0].sums).all()
    assert (before.sums == after.sums).all()
    assert not (once[0].sums == before.sums).all()


@pytest.fixture(scope="module")
def found_in(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> tuple[Bench, Rate, list[str]]:
    from tests.training.conftest import make_bench, section_of

    bench = make_bench(tmp_path_factory.mktemp("rate"), tiny_model)
    section = section_of(optimizer={"adamw": {"learning_rate": 1e-6}}, num_train_epochs=8)
    given = Asked(section, bench.task, bench.model, bench.base, bench.dataset, bench.store, seed=3)
    random.seed(1)
    torch.manual_seed(1)
    drawn = hashlib.sha256(torch.get_rng_state().numpy().tobytes()).hexdigest()
    found = find_rate(given, sweep=60, steps=12)
    same = [str(random.getstate() == random.Random(1).getstate())]
    same.append(str(hashlib.sha256(torch.get_rng_state().numpy().tobytes()).hexdigest() == drawn))
    return bench, found, same


def test_the_proposal_learns_more_than_rates_far_from_it(found_in: tuple[Bench, Rate, list[str]]) -> None:
    bench, found, _ = found_in
    assert found.rate is not None
    losses = {}
    for rate in (found.rate / 100, found.rate, found.rate * 100):
        from tests.training.conftest import section_of

        section = section_of(optimizer={"adamw": {"learning_rate": rate}}, max_steps=20, stop=None)
        try:
            run, _ = bench.train(section)
        except Exception as error:  # noqa: BLE001 - whatever a rate that is far too high ends with
            assert rate > found.rate, error
            continue
        losses[rate] = run.facts["validation_loss"]
    assert min(losses, key=lambda rate: losses[rate]) == found.rate


def test_nothing_is_left_behind(found_in: tuple[Bench, Rate, list[str]]) -> None:
    bench, _, same = found_in
    assert same == ["True", "True"]
    assert bench.store.refs.all() == {}
    assert not list((bench.store.root / "work").glob("*/checkpoints"))
    assert {manifest.kind for manifest in bench.store.artifacts()} <= {"dataset", "run", "model"}


def test_the_change_is_taken_by_the_recipe_and_the_picture_is_a_picture(
    found_in: tuple[Bench, Rate, list[str]],
) -> None:
    from tuneloop.life import load

    found = found_in[1]
    read = load({"data": {"sources": ["x.jsonl"]}, "model": {"base": "embedded"}}, [found.change])
    assert read.train.optimizer.learning_rate == found.rate
    assert picture(found)[:8] == b"\x89PNG\r\n\x1a\n"


def test_a_rate_that_is_scaled_with_the_batch_is_written_as_the_recipe_scales_it(
    asked: Callable[..., Asked],
) -> None:
    scaling = {"rule": "linear", "reference": 3}
    found = find_rate(asked(batch={"size": 6, "learning_rate_scaling": scaling}), sweep=40, steps=4)
    assert found.rate is not None
    assert float(found.change.partition("=")[2]) == pytest.approx(found.rate / 2, rel=0.06)
