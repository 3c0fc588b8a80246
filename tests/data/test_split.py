"""The split: a row's side follows from what it asks and the seed alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tuneloop.data.section import Split
from tuneloop.data.split import side
from tuneloop.rows import Chat, Message, Preference, Text
from tuneloop.store import Dataset

SHARES = st.builds(Split, validation=st.floats(0, 0.45), test=st.floats(0, 0.45))


def chat(question: str, answer: str) -> Chat:
    return Chat((Message("user", question), Message("assistant", answer)))


@given(st.text(), st.text(), st.text(), SHARES, st.integers(0, 2**31))
def test_rows_that_ask_the_same_stand_on_one_side(question: str, one: str, two: str, split: Split, seed: int) -> None:
    place = side(chat(question, one), split, seed)
    assert side(chat(question, two), split, seed) == place
    assert side(chat(f" {question}\n", two), split, seed) == place
    assert side(Preference((Message("user", question),), (Message("assistant", one),)), split, seed) == place


@given(st.text(), st.floats(0, 0.4), st.floats(0, 0.4), st.floats(0, 0.4))
def test_a_changed_share_moves_no_row_between_the_other_and_training(
    text: str, test: float, small: float, large: float
) -> None:
    small, large = sorted((small, large))
    before = side(Text(text), Split(validation=small, test=test), 1)
    after = side(Text(text), Split(validation=large, test=test), 1)
    assert after == before or (before, after) == ("train", "validation")


@pytest.mark.parametrize("seed", [0, 42])
def test_the_shares_are_kept(seed: int) -> None:
    split = Split(validation=0.1, test=0.2)
    sides = [side(Text(str(i)), split, seed) for i in range(20_000)]
    assert abs(sides.count("validation") / 20_000 - 0.1) < 0.01
    assert abs(sides.count("test") / 20_000 - 0.2) < 0.01


def test_another_seed_draws_other_rows() -> None:
    split = Split(validation=0.5, test=0)
    assert [side(Text(str(i)), split, 1) for i in range(50)] != [side(Text(str(i)), split, 2) for i in range(50)]


def test_shares_must_leave_something_to_train_on() -> None:
    with pytest.raises(ValidationError, match="share for training"):
        Split(validation=0.5, test=0.5)


def test_rows_that_are_added_move_no_old_row(make: Callable[..., Dataset]) -> None:
    def sides(rows: list[dict[str, str]]) -> dict[str, str]:
        dataset = make(rows, split={"validation": 0.2, "test": 0.2})
        return {record.id: split for split in dataset.splits for record in dataset.records(split)}

    rows = [{"question": f"what is {i}?", "answer": str(i)} for i in range(60)]
    more = [{"question": f"who is {i}?", "answer": str(i)} for i in range(40)]
    old = sides(rows)
    new = sides(more + rows[::-1])
    assert len(new) == 100
    assert old.items() <= new.items()


def test_an_empty_split_is_told_and_no_row_is_moved(make: Callable[..., Dataset], notes: object) -> None:
    dataset = make([{"text": "one row"}], split={"validation": 0.001, "test": 0})
    assert dataset.splits == ["train"]
    (note,) = dataset.report["notes"]
    assert "validation has no rows" in note
    assert "data.split.validation" in note
    assert note in notes.notes  # type: ignore[attr-defined]
