"""The rank: several runs compared, layers that keep what they learned, and budgets."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tuneloop.errors import TrainingError
from tuneloop.training.finders.asked import Asked
from tuneloop.training.finders.rank import Kind, Rank, Tried, _told, _within, find_rank

KINDS = [Kind("v_proj", 2, 100, 0.5, 0.5), Kind("up_proj", 2, 300, 0.6, 0.9), Kind("k_proj", 2, 100, 0.05, 1.0)]


def tried(*runs: tuple[int, float | None, float]) -> dict[int, Tried]:
    """Runs of (rank, loss, standard error); 500 parameters a rank."""
    best = min(loss for _, loss, _ in runs if loss is not None)
    return {
        r: Tried(r, loss, None if loss is None else loss - best, None if loss is None else error, 500 * r)
        for r, loss, error in runs
    }


def judged(asked: Asked, runs: dict[int, Tried], budget: int | None = None) -> Rank:
    return _told(asked, list(runs.values()), KINDS, budget, start=4.0, steps=50)


def test_a_higher_rank_is_proposed_only_where_it_is_surely_better(asked: Callable[..., Asked]) -> None:
    hard = judged(asked(), tried((1, 3.0, 0.02), (4, 2.8, 0.02), (16, 2.6, 0.0)))
    assert (hard.r, hard.separates) == (16, True)
    noisy = judged(asked(), tried((1, 2.7, 0.2), (4, 2.65, 0.1), (16, 2.6, 0.0)))
    assert (noisy.r, noisy.separates) == (1, False)
    assert "too short to tell" in noisy.why


def test_a_rank_that_diverged_is_passed_over_and_none_is_proposed_where_nothing_learns(
    asked: Callable[..., Asked],
) -> None:
    assert judged(asked(), tried((1, 3.0, 0.01), (4, 2.8, 0.0), (16, None, 0.0))).r == 4
    nothing = judged(asked(), tried((1, 4.1, 0.1), (4, 4.2, 0.0)))
    assert nothing.r is None and nothing.changes == [] and "learning rate" in nothing.why


def test_the_scale_of_the_product_stays_when_the_rank_changes(asked: Callable[..., Asked]) -> None:
    runs = tried((1, 3.0, 0.01), (4, 2.8, 0.01), (16, 2.6, 0.0))
    for rslora, alpha in ((False, 32), (True, 16)):
        lora = {"lora": {"r": 4, "lora_alpha": 8, "use_rslora": rslora}}
        assert f"train.adapter.lora.lora_alpha={alpha}" in judged(asked(adapter=lora), runs).changes


def test_a_budget_is_kept_and_spent_where_most_is_gained(asked: Callable[..., Asked]) -> None:
    runs = tried((1, 3.0, 0.01), (4, 2.8, 0.01), (16, 2.6, 0.0))
    for budget in (100, 400, 1600, 3000, 8000):
        found = judged(asked(), runs, budget)
        assert found.parameters <= budget
    assert judged(asked(), runs, 1600).target_modules == ["v_proj", "up_proj"]
    assert judged(asked(), runs, 100_000).target_modules == "all-linear"
    with pytest.raises(TrainingError, match="do not pay") as caught:
        _within(runs, KINDS, 99, 4.0)
    assert "allow 100" in caught.value.problems[0].fix


def test_all_kinds_of_layers_together_keep_the_whole_gain(asked: Callable[..., Asked]) -> None:
    found = find_rank(asked(optimizer={"adamw": {"learning_rate": 2e-2}}), steps=12)
    assert [each.r for each in found.tried] == [1, 4, 16]
    assert found.r is not None
    assert found.kinds[-1].together == pytest.approx(1.0, abs=1e-5)
    assert {kind.name for kind in found.kinds} == {
        "q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"
    }  # fmt: skip
    every = sum(kind.parameters for kind in found.kinds)
    assert [each.parameters for each in found.tried] == [every * each.r for each in found.tried]
