"""The batch: sizes that fit and their speed, where memory ends, and the rate that follows a larger step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tuneloop.training.finders import batch as finder
from tuneloop.training.finders.asked import Asked
from tuneloop.training.finders.batch import Size, find_batch
from tuneloop.training.need import Need


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short timings and short answers."""
    for name, value in (("SECONDS", 0.0), ("ROUNDS", 1), ("USUAL", 6), ("LONGEST", 4)):
        monkeypatch.setattr(finder, name, value)


def test_every_size_up_to_the_step_is_tried_and_the_proposal_is_one_of_the_fastest(
    asked: Callable[..., Asked],
) -> None:
    found = find_batch(asked(batch={"size": 6}))
    assert [size.rows for size in found.sizes] == [1, 2, 4, 6]
    speeds = {size.rows: size.tokens_per_second or 0.0 for size in found.sizes}
    assert found.rows is not None and speeds[found.rows] >= 0.97 * max(speeds.values())
    assert found.changes == [f"train.batch.per_device_train_batch_size={found.rows}"]
    assert found.largest == 6 and found.answers is True and found.scaled is None


def test_a_size_that_runs_out_of_memory_is_not_proposed(
    asked: Callable[..., Asked], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Need.try_

    def try_(self: Need, most: int) -> None:
        if most > 2:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes")
        real(self, most)

    monkeypatch.setattr(Need, "try_", try_)
    found = find_batch(asked(batch={"size": 6}))
    assert [(size.rows, size.fits) for size in found.sizes] == [(1, True), (2, True), (4, False)]
    assert found.largest == 2 and "can't allocate" in found.sizes[-1].why


def test_on_a_processor_what_would_not_fit_is_not_even_tried(
    asked: Callable[..., Asked], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finder, "free_bytes", lambda _: 1000)
    found = find_batch(asked(batch={"size": 6}))
    assert found.rows is None and found.changes == []
    assert [(size.rows, size.fits) for size in found.sizes] == [(1, False)]
    assert "not even one row fits" in found.why


@pytest.mark.parametrize(("rule", "times"), [("linear", 4.0), ("sqrt", 2.0)])
def test_a_larger_step_takes_the_rate_with_it_as_a_training_does(
    asked: Callable[..., Asked], rule: Any, times: float
) -> None:
    from tuneloop.life import load

    given = asked(batch={"size": 4})
    scaled = finder._scaled(given, rule, 16)
    assert (scaled.times, scaled.written, scaled.reference) == (pytest.approx(times), 5e-3, 4)
    sizes = [Size(rows, True, "", float(rows), 0, 0) for rows in (1, 2, 4, 8, 16)]
    found = finder._told(given, sizes, rule, device="cpu", free=1, answers=None)
    recipe = {"data": {"sources": ["x.jsonl"]}, "model": {"base": "embedded"}}
    train = load(recipe, ["train.optimizer.adamw.learning_rate=5e-3", *found.changes]).train
    assert (train.batch.size, train.batch.per_device_train_batch_size) == (16, 16)
    assert train.learning_rate == pytest.approx(scaled.rate)


def test_a_step_never_grows_until_too_few_steps_are_left(asked: Callable[..., Asked]) -> None:
    with asked(batch={"size": 2}, num_train_epochs=20).opened() as (_, learner):
        assert learner.plan.steps == 400
        assert finder._most(learner) == 8
