"""Rows told apart: every row is in one group of each kind, and the groups' figures are those of their rows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneloop.evaluation.answers import Answered
from tuneloop.evaluation.groups import MOST, REST, grouped, size
from tuneloop.evaluation.labels import calibration, of_labels
from tuneloop.evaluation.shown import RowLoss
from tuneloop.rows import Chat, Labeled, Message, Record, Text


def row(place: int, origin: str = "a.jsonl:1", length: int = 10, score: float = 1.0, prompt: str = "hi") -> Answered:
    return Answered(
        str(place), origin, prompt, "yes", "", "", {"tuned": {"exact_match": score}}, {"tuned": "stop"}, size=length
    )


def loss(place: int, origin: str = "a.jsonl:1", length: int = 10, value: float = 1.0, terms: int = 1) -> RowLoss:
    return RowLoss(str(place), origin, length, {"tuned": value}, {"tuned": terms})


def test_the_sources_have_the_figures_of_their_rows() -> None:
    answered = [row(place, f"{'ab'[place % 2]}.jsonl:{place}", score=float(place % 2)) for place in range(10)]
    losses = [loss(place, f"{'ab'[place % 2]}.jsonl:{place}", value=4.0, terms=1 + place % 2) for place in range(12)]
    found = {group.name: group for group in grouped(answered, losses, ["exact_match"], False, 0)["source"]}
    assert found["a.jsonl"].scores["tuned"]["exact_match"].mean == 0.0
    assert found["b.jsonl"].scores["tuned"]["loss"].mean == 2.0
    assert (found["b.jsonl"].rows, found["b.jsonl"].answered) == (6, 5)


def test_one_group_alone_is_not_told() -> None:
    assert grouped([row(0), row(1)], [loss(0), loss(1)], ["exact_match"], False, 0) == {}


def test_writing_is_told_by_the_prompt_and_labels_by_the_reference() -> None:
    answered = [row(0, prompt="今天天气"), row(1, prompt="the weather")]
    found = grouped(answered, [], ["exact_match"], True, 0)
    assert [group.name for group in found["writing"]] == ["CJK", "other"]
    assert "label" not in found


def test_rare_sources_are_told_together() -> None:
    losses = [loss(place, f"{place % 30:02}.jsonl:{place}") for place in range(100)]
    found = grouped([], losses, [], False, 0)["source"]
    assert len(found) == MOST + 1 and found[-1].name == REST
    assert sum(group.rows for group in found) == 100


@given(st.lists(st.integers(0, 40), min_size=1, max_size=60))
def test_every_length_falls_into_one_span_in_order(lengths: list[int]) -> None:
    found = grouped([], [loss(place, length=length) for place, length in enumerate(lengths)], [], False, 0)
    groups = found.get("length", [])
    assert sum(group.rows for group in groups) in (0, len(lengths))
    lows = [int(group.name.split(" ")[0]) for group in groups]
    assert lows == sorted(lows) and len(groups) <= 4


def test_the_size_of_a_row_is_that_of_all_its_texts() -> None:
    chat = Chat((Message("user", "four"), Message("assistant", "eleven char")))
    assert size(Record.of(chat, origin="x")) == 15
    assert size(Record.of(Labeled("text", 3), origin="x")) >= 4
    assert size(Record.of(Text("seven c"), origin="x")) >= 7


def test_precision_and_recall_are_averaged_as_scikit_learn_does() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    right = ["a", "b", "b", "c", "c", "c", "a", "b"]
    said = ["a", "b", "c", "c", "c", "a", "a", "b"]
    report = metrics.classification_report(right, said, output_dict=True, zero_division=0)
    found = of_labels(said, right, ["a", "b", "c", "never"])
    for name in ("macro", "weighted"):
        told = report[f"{name} avg"]
        assert found[name] == pytest.approx(
            {"precision": told["precision"], "recall": told["recall"], "f1": told["f1-score"]}
        )


def test_calibration_is_the_gap_of_scikit_learns_curve() -> None:
    curves = pytest.importorskip("sklearn.calibration")
    sure = [0.05 + 0.9 * (place * 37 % 100) / 100 for place in range(100)]
    right = [place * 61 % 100 < 100 * chance * 0.8 for place, chance in enumerate(sure)]
    found = calibration(sure, ["yes"] * 100, ["yes" if each else "no" for each in right])
    shares, means = curves.calibration_curve(right, sure, n_bins=10, strategy="uniform")
    assert [each["right"] for each in found["bins"]] == pytest.approx(list(shares))
    assert [each["sure"] for each in found["bins"]] == pytest.approx(list(means))
    gaps = [abs(share - mean) for share, mean in zip(shares, means, strict=True)]
    weights = [each["rows"] for each in found["bins"]]
    assert found["error"] == pytest.approx(sum(g * w for g, w in zip(gaps, weights, strict=True)) / 100)
