"""Importance: what explains the differences stands first, and chance explains nothing."""

from __future__ import annotations

from random import Random

from tuneloop.tuning.importance import importance
from tuneloop.tuning.space import Space
from tuneloop.tuning.span import Span
from tuneloop.tuning.trials import Trial

SPACE = Space({"rate": Span(log=(1e-5, 1e-1)), "size": [8, 16, 32], "noise": Span(float=(0, 1))})


def trials(seed: int, count: int = 40) -> list[Trial]:
    random = Random(seed)
    made = []
    for number in range(count):
        values = SPACE.draw(random)
        loss = 3 * values["rate"] ** 0.5 + 0.001 * values["size"] + random.gauss(0, 0.005)
        made.append(Trial(number, values, scores=[(1.0, loss)], ended=True))
    return made


def test_what_decides_the_score_comes_first_and_noise_gets_next_to_nothing() -> None:
    for seed in range(5):
        shares = importance(SPACE, trials(seed))
        assert next(iter(shares)) == "rate" and shares["rate"] > 0.5
        assert shares["noise"] < 0.25


def test_noise_alone_is_not_important_on_average() -> None:
    means = []
    for seed in range(40):
        random = Random(seed)
        made = [Trial(n, SPACE.draw(random), scores=[(1.0, random.random())], ended=True) for n in range(20)]
        means += importance(SPACE, made).values()
    assert sum(means) / len(means) < 0.07


def test_trials_are_compared_where_all_of_them_came() -> None:
    made = [
        Trial(n, {"size": size}, scores=[(0.5, float(size)), *([(1.0, 0.0)] if n % 2 else [])])
        for n, size in enumerate([8, 16, 32] * 4)
    ]
    assert importance(SPACE, made)["size"] > 0.95


def test_a_grid_is_its_analysis_of_variance() -> None:
    space = Space({"a": [0, 1], "b": [0, 1]})
    made = [
        Trial(n, {"a": n // 4, "b": n // 2 % 2}, scores=[(1.0, float(n))], ended=True) for n in range(8)
    ]  # ranks 0 to 7: between the halves 32 of 42
    shares = importance(space, made)
    assert abs(shares["a"] - (1 - (10 / 6) / (42 / 7))) < 1e-12
    assert list(shares) == ["a", "b"]
