"""Likeness of two sets of rows, against the formula and on real rows of two languages and two topics."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from tuneloop.data.likeness import likeness
from tuneloop.rows import Record, Text


def rows(*texts: str) -> list[Record]:
    return [Record.of(Text(text), origin=f"rows:{number}") for number, text in enumerate(texts)]


def test_equal_rows_are_as_near_as_can_be_and_rows_without_a_common_word_have_nothing_in_common() -> None:
    assert likeness(rows("red fox", "old dog"), rows("Old  dog!", "red fox")) == pytest.approx(1.0)
    assert likeness(rows("red fox"), rows("old dog")) == pytest.approx(0.0)
    assert likeness(rows(), rows("old dog")) == 0.0


def test_it_is_one_minus_the_divergence_of_jensen_and_shannon() -> None:
    mixed = [(0.5, 0.75), (0.5, 0.25)]
    entropy = lambda shares: -sum(share * math.log2(share) for share in shares)  # noqa: E731
    expected = 1 - (
        entropy([(p + q) / 2 for p, q in mixed]) - (entropy([p for p, _ in mixed]) + entropy([q for _, q in mixed])) / 2
    )
    assert likeness(rows("fox dog"), rows("fox fox fox dog")) == pytest.approx(expected)


def test_rows_of_the_same_kind_are_more_alike_than_rows_of_another(real: Path) -> None:
    alpaca = json.loads((real / "sft_en" / "alpaca_data-0-3252-英文.json").read_text())[:400]
    said = [f"{row['instruction']} {row['output']}" for row in alpaca]
    book = next((real / "long" / "grimm").glob("*.txt")).read_text(errors="replace")[10_000:60_000].split("\n\n")
    assert likeness(rows(*said[:200]), rows(*said[200:])) > likeness(rows(*said[:200]), rows(*book))
