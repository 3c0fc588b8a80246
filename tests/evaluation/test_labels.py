"""Figures of a classifier, label by label, against counting by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuneloop.evaluation.labels import macro_f1, of_labels
from tuneloop.evaluation.metrics import Metric
from tuneloop.parts import find

CHOICES = ("a", "b", "c")
pairs = st.lists(st.tuples(st.sampled_from(CHOICES), st.sampled_from((*CHOICES, "unknown"))), min_size=1, max_size=40)


@given(pairs)
@settings(max_examples=20, deadline=None)
def test_every_figure_is_what_counting_gives(rows: list[tuple[str, str]]) -> None:
    answers, references = [answer for answer, _ in rows], [reference for _, reference in rows]
    found = of_labels(answers, references, CHOICES)
    assert sum(map(sum, found["matrix"])) == len(rows)
    scores = []
    for each in found["each"]:
        right = sum(answer == reference == each["label"] for answer, reference in rows)
        chosen, there = answers.count(each["label"]), references.count(each["label"])
        assert each["precision"] == (right / chosen if chosen else 0)
        assert each["recall"] == (right / there if there else 0)
        precision, recall = each["precision"], each["recall"]
        f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0
        assert each["f1"] == pytest.approx(f1)
        if chosen or there:
            scores.append(f1)
    assert macro_f1(answers, references, seed=0).mean == pytest.approx(sum(scores) / len(scores))
    accuracy = find(Metric, "accuracy")().score(answers, references)
    assert sum(accuracy) == sum(found["matrix"][at][at] for at in range(len(found["labels"])))
    assert found["commonest"]["share"] == max(map(references.count, references)) / len(rows)


def test_labels_that_cannot_be_chosen_come_last_and_are_mistakes() -> None:
    found = of_labels(["a", "b"], ["odd", "b"], CHOICES)
    assert found["labels"] == ["a", "b", "c", "odd"]
    assert found["each"][3] == {"label": "odd", "precision": 0.0, "recall": 0.0, "f1": 0.0, "rows": 1, "chosen": 0}
    assert found["confused"] == [{"right": "odd", "chosen": "a", "rows": 1}]


def test_a_classifier_says_how_sure_it_is_of_what_it_chooses(tiny_encoder: Path) -> None:
    import torch
    from transformers import AutoModelForSequenceClassification

    from tuneloop.models import classifier

    torch.manual_seed(0)
    model = AutoModelForSequenceClassification.from_pretrained(tiny_encoder, num_labels=3).eval()
    texts = [[2, 7, 9, 3], [2, 11, 3], [2, 5, 6, 7, 8, 3]]
    found = classifier.chances(model, texts, 0)
    for ids, row in zip(texts, found, strict=True):
        with torch.no_grad():
            alone = model(input_ids=torch.tensor([ids])).logits.softmax(-1)[0]
        assert row == pytest.approx(alone.tolist(), abs=1e-6)
    assert classifier.classify(model, texts, 0) == [row.index(max(row)) for row in found]


def test_the_interval_of_macro_f1_holds_it_and_follows_from_the_seed() -> None:
    answers, references = ["a", "b", "a", "b"] * 20, ["a", "b", "b", "b"] * 20
    one, two = (macro_f1(answers, references, seed=seed) for seed in (0, 0))
    assert one == two
    assert one.low < one.mean < one.high
    assert one.n == 80
