"""Kinship: exchanged answers and labels are told from real rows alone, and right ones are left in peace."""

from __future__ import annotations

import csv
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tuneloop.training.encoded import Encoded
from tuneloop.training.signals.kinship import near_seen, of_answers, of_labels

Rows = list[tuple[str, str]]


def encoded(rows: Rows, labels: bool = False) -> Encoded:
    """Questions with answers (or texts with labels), a character a token."""
    names = sorted({answer for _, answer in rows})
    ids: list[int] = []
    learn: list[int] = []
    ends: list[int] = []
    for question, answer in rows:
        learned = "" if labels else answer
        ids += [ord(char) for char in question + learned]
        learn += [0] * len(question) + [1] * len(learned)
        ends.append(len(ids))
    count = len(rows)
    marks = np.array([[names.index(answer)] for _, answer in rows]) if labels else np.zeros((count, 0), np.int64)
    return Encoded(
        np.array(ids, np.int32), np.array(learn, np.uint8), np.array(ends), [""] * count, [""] * count, [], count, marks
    )


def spoiled(rows: Rows, share: float, seed: int = 0) -> Rows:
    """Give a share of the rows the answer of another row."""
    chance = random.Random(seed)
    wrong = set(chance.sample(range(len(rows)), round(share * len(rows))))
    others = [answer for _, answer in rows]
    return [
        (question, chance.choice([other for other in others if other != answer]) if place in wrong else answer)
        for place, (question, answer) in enumerate(rows)
    ]


@pytest.fixture(scope="module")
def answers(request: pytest.FixtureRequest) -> Rows:
    real: Path = request.getfixturevalue("real")
    rows: list[dict[str, Any]] = json.loads((real / "sft_zh" / "整数加减法.json").read_text(encoding="utf-8"))
    alpaca: list[dict[str, Any]] = json.loads(
        (real / "sft_en" / "alpaca_data-0-3252-英文.json").read_text(encoding="utf-8")
    )
    kept = rows[:100] + [row for row in alpaca if 4 < len(row["output"]) < 100][:100]
    return [(f"{row['instruction']} {row['input']}\n", row["output"]) for row in kept]


@pytest.fixture(scope="module")
def labelled(request: pytest.FixtureRequest) -> Rows:
    real: Path = request.getfixturevalue("real")
    with (real / "classify" / "banking77" / "train.csv").open(encoding="utf-8", newline="") as file:
        rows = [(row["text"], row["category"]) for row in csv.DictReader(file)]
    names = sorted({name for _, name in rows})[:4]
    return [(text, name) for text, name in rows if name in names][:300]


@pytest.mark.parametrize("half", [slice(0, 100), slice(100, 200)])
def test_right_answers_are_kin_of_their_questions_and_exchanged_ones_are_not(answers: Rows, half: slice) -> None:
    right = of_answers(encoded(answers[half]))
    assert right["kinship"] > 20 * right["kinship/error"] or right["kinship"] > 0.15
    assert right["strangers"] < 0.05
    wrong = of_answers(encoded(spoiled(answers[half], 1.0)))
    assert abs(wrong["kinship"]) < max(0.03, 3 * wrong["kinship/error"])
    some = of_answers(encoded(spoiled(answers[half], 0.4)))
    assert some["strangers"] > 0.12


def test_rows_that_come_again_with_another_opening_are_repeated(answers: Rows) -> None:
    again = [(opening + question, answer) for question, answer in answers[::4] for opening in ("", "Please: ", "- ")]
    assert of_answers(encoded(answers))["near_repeated"] < 0.02
    assert of_answers(encoded(again))["near_repeated"] > 0.5


def test_held_out_rows_that_are_training_rows_with_another_opening_are_seen(answers: Rows) -> None:
    train, other = encoded(answers[::2]), encoded(answers[1::2])
    again = encoded([(f"Please answer. {question}", answer) for question, answer in answers[::2][:30]])
    assert near_seen(train, again) > 0.9
    assert near_seen(train, other) < 0.02


def test_labels_as_answers_are_no_strangers(labelled: Rows) -> None:
    found = of_answers(encoded([(f"Which topic? {text}\n", name) for text, name in labelled]))
    assert "strangers" not in found


def test_too_few_answers_and_one_question_for_all_say_nothing(answers: Rows) -> None:
    assert of_answers(encoded(answers[:20])) == {}
    assert "kinship" not in of_answers(encoded([("Write a poem. ", answer) for _, answer in answers]))


def test_a_reader_who_counts_words_tells_right_labels_from_wrong_ones(labelled: Rows) -> None:
    right = of_labels(encoded(labelled, labels=True))
    assert right["label_gain"] > 5 * right["label_gain/error"]
    assert right["clear_wrong"] < 0.1
    some = of_labels(encoded(spoiled(labelled, 0.5), labels=True))
    assert some["clear_wrong"] > 0.25
    chance = random.Random(3)
    names = [name for _, name in labelled]
    chance.shuffle(names)
    none = of_labels(encoded([(text, name) for (text, _), name in zip(labelled, names, strict=True)], labels=True))
    assert none["label_gain"] < 2 * none["label_gain/error"]
    assert none["labels"] == len(set(names))
