"""Searches: what they propose follows from what was tried, and they find what is there to be found."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from tuneloop.errors import MissingPackage
from tuneloop.parts import find, install
from tuneloop.tuning.searches import Known, Search
from tuneloop.tuning.space import Space
from tuneloop.tuning.span import Span
from tuneloop.tuning.trials import Trial

RATES = Space({"rate": Span(log=(1e-5, 1e-1)), "size": [8, 16, 32]})


def far(values: dict[str, Any], share: float = 1.0) -> float:
    """A loss that is lowest at a rate of 1e-3 and size 16, and shrinks with training."""
    return abs(math.log10(values["rate"]) + 3) + abs(math.log2(values["size"]) - 4) / 2 + (1 - share)


def run(
    search: Search, space: Space, most: int, loss: Callable[..., float] = far, seed: int = 0, workers: int = 1
) -> list[Trial]:
    """Search until there is nothing to do, with as many trials at the same time as there are workers."""
    trials: list[Trial] = []
    while True:
        known = Known(space, trials, most, 1, seed)
        proposal = search.propose(known)
        running = [trial for trial in trials if trial.running]
        if proposal is not None and len(running) < workers:
            if proposal.trial == len(trials):
                trials.append(Trial(proposal.trial, proposal.values))
            trials[proposal.trial].share, trials[proposal.trial].running = proposal.share, True
            continue
        if not running:
            return trials
        trial = running[0]
        trial.running = False
        value = loss(trial.values, trial.share)
        if math.isnan(value):
            trial.failure = "it is not a number"
        else:
            trial.scores.append((trial.share, value))
            trial.ended = trial.share == 1


@pytest.mark.parametrize("name", ["random", "tpe", "asha"])
def test_the_same_knowledge_gives_the_same_proposal(name: str) -> None:
    search = find(Search, name)()
    one, two = run(search, RATES, 14), run(search, RATES, 14)
    assert [trial.values for trial in one] == [trial.values for trial in two]
    assert [trial.values for trial in run(search, RATES, 14, seed=1)] != [trial.values for trial in one]


@pytest.mark.parametrize("name", ["random", "tpe", "grid"])
def test_nothing_is_tried_twice_and_a_small_space_ends(name: str) -> None:
    space = Space({"a": [1, 2, 3], "b": ["x", "y"]})
    trials = run(find(Search, name)(), space, 50, lambda values, share: values["a"])
    assert sorted(map(str, (trial.values for trial in trials))) == sorted(map(str, space.cells()))


def test_tpe_comes_nearer_than_chance() -> None:
    wins = 0
    for seed in range(5):
        tpe = min(far(t.values) for t in run(find(Search, "tpe")(n_startup_trials=6), RATES, 30, seed=seed))
        chance = min(far(t.values) for t in run(find(Search, "random")(), RATES, 30, seed=seed))
        wins += tpe <= chance
    assert wins >= 4


def test_tpe_searches_where_parts_decide_what_counts() -> None:
    space = Space({"o": ["adamw", "sgd"], "o.adamw.rate": Span(log=(1e-5, 1e-1)), "o.sgd.momentum": Span(float=(0, 1))})

    def loss(values: dict[str, Any], share: float) -> float:
        return abs(math.log10(values["o.adamw.rate"]) + 3) if values["o"] == "adamw" else 2 + values["o.sgd.momentum"]

    trials = run(find(Search, "tpe")(n_startup_trials=8), space, 30, loss)
    later = [trial.values["o"] for trial in trials[8:]]
    assert later.count("adamw") > later.count("sgd")


def test_a_failed_trial_counts_as_a_bad_one() -> None:
    def loss(values: dict[str, Any], share: float) -> float:
        return math.nan if values["rate"] > 3e-3 else far(values, share)

    trials = run(find(Search, "tpe")(n_startup_trials=8), RATES, 30, loss)
    assert sum(bool(trial.failure) for trial in trials[15:]) <= 4
    halved = run(find(Search, "asha")(), RATES, 27, loss)
    assert all(not trial.failure for trial in halved if trial.share > 1 / 9)


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("asynchronous", [True, False])
def test_asha_trains_few_trials_long_and_keeps_the_best(asynchronous: bool, workers: int) -> None:
    search = find(Search, "asha")(asynchronous=asynchronous)
    trials = run(search, RATES, 27, workers=workers)
    best = min(trials, key=lambda trial: far(trial.values))
    assert best.ended
    at = [sum(trial.share >= rung - 1e-9 for trial in trials) for rung in search.rungs()]
    assert at[0] == 27 and 9 <= at[1] <= 14 and 3 <= at[2] <= 7
    if not asynchronous:
        assert at == [27, 9, 3]
    assert all(len({share for share, _ in trial.scores}) == len(trial.scores) for trial in trials)


def test_asha_has_a_trained_model_in_the_end_however_few_trials_there_are() -> None:
    for most in (1, 2, 4):
        trials = run(find(Search, "asha")(halvings=3), RATES, most)
        assert [trial.ended for trial in trials].count(True) == 1
        assert min(trials, key=lambda trial: far(trial.values)).ended


def test_asha_takes_a_trial_that_stopped_early_as_one_at_its_end() -> None:
    trials = [Trial(0, {"rate": 1e-3, "size": 16}, share=1 / 9, scores=[(1 / 9, 0.1)], ended=True)]
    trials += [Trial(n, {"rate": 10**-n, "size": 8}, share=1 / 9, scores=[(1 / 9, float(n))]) for n in (1, 2)]
    proposal = find(Search, "asha")().propose(Known(RATES, trials, 3, 1, 0))
    assert proposal is None


def test_asha_draws_its_trials_with_another_search() -> None:
    space = Space({"rate": [1e-4, 1e-3, 1e-2], "size": [8, 16, 32]})
    trials = run(find(Search, "asha")(sampler="grid"), space, 9)
    assert [trial.values for trial in trials] == list(space.cells())


def test_tpe_without_optuna_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    from tuneloop.tuning.searches import tpe

    monkeypatch.setattr(tpe, "find_spec", lambda name: None)
    with pytest.raises(MissingPackage, match="optuna") as caught:
        find(Search, "tpe")().propose(Known(RATES, [], 3, 1, 0))
    assert caught.value.problems[0].fix.startswith(install("optuna"))
