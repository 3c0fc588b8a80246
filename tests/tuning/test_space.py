"""The space of a search: what counts, what is drawn, what a grid takes."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tuneloop.tuning.section import TuneSection
from tuneloop.tuning.space import Space, drawn, grid
from tuneloop.tuning.span import Span

OPTIMIZERS = Space(
    {
        "train.optimizer.sgd.momentum": [0.0, 0.9],
        "train.optimizer": ["adamw", {"sgd": {"nesterov": False}}],
        "train.batch.size": [8, 16],
        "train.optimizer.adamw.learning_rate": Span(log=(1e-5, 1e-3)),
    }
)


def test_options_of_a_part_count_only_where_it_is_chosen() -> None:
    cells = list(OPTIMIZERS.cells())
    assert len(cells) == OPTIMIZERS.size() == 2 * (3 + 2)
    for cell in cells:
        assert ("train.optimizer.adamw.learning_rate" in cell) == (cell["train.optimizer"] == "adamw")
        assert ("train.optimizer.sgd.momentum" in cell) == (cell["train.optimizer"] != "adamw")


def test_a_grid_is_ordered_with_the_last_path_changing_fastest() -> None:
    space = Space({"train.batch.size": [8, 16], "seed": [1, 2]})
    assert [(cell["seed"], cell["train.batch.size"]) for cell in space.cells()] == [(1, 8), (1, 16), (2, 8), (2, 16)]


@given(st.integers(0, 10_000), st.floats(1e-6, 1.0), st.floats(1.1, 1e4))
def test_what_is_drawn_lies_between_the_ends(seed: int, low: float, factor: float) -> None:
    high = low * factor
    for span in (Span(log=(low, high)), Span(float=(low, high)), Span(int=(3, 70), log=True), Span(int=(-2, 4))):
        value = drawn(span, Random(seed))
        assert span.ends[0] <= value <= span.ends[1]
        assert isinstance(value, int) == span.whole


def test_a_logarithmic_span_draws_each_magnitude_as_often() -> None:
    values = [drawn(Span(log=(1e-4, 1e-2)), Random(seed)) for seed in range(2000)]
    assert 0.45 < sum(value < 1e-3 for value in values) / 2000 < 0.55
    whole = [drawn(Span(int=(1, 4)), Random(seed)) for seed in range(2000)]
    assert all(0.2 < whole.count(number) / 2000 < 0.3 for number in (1, 2, 3, 4))


def test_grid_points_hold_both_ends_and_none_twice() -> None:
    assert grid(Span(int=(4, 64), log=True, points=5)) == [4, 8, 16, 32, 64]
    assert grid(Span(int=(1, 2), points=7)) == [1, 2]
    assert grid(Span(float=(0, 0.2), points=3)) == [0, 0.1, 0.2]


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"log": [0, 1]}, "no magnitude"),
        ({"int": [4, 4]}, "not below"),
        ({"int": [1, 2], "float": [1, 2]}, "it has 2"),
        ({"points": 4}, "it has 0"),
        ([], "at least 1"),
    ],
)
def test_a_span_that_is_none_is_refused(values: object, told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        TuneSection.model_validate({"space": {"seed": values}})


def test_the_section_survives_being_spelled_out() -> None:
    section = TuneSection.model_validate(
        {"space": {"a.b": [8, None, "x", 0.5], "c": {"int": [1, 9], "log": True}, "d": {"log": [1, 2]}}}
    )
    again = TuneSection.model_validate(section.model_dump(mode="json"))
    assert again == section
    assert [type(value) for value in again.space["a.b"]] == [int, type(None), str, float]
