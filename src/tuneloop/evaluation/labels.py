"""Labels: how well a classifier knows each of them, and which ones it takes for each other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from tuneloop.evaluation.interval import RESAMPLES, Mean

MATRIX = 30
"""Labels of the largest confusion matrix on the page; ``report.json`` has all."""
PAIRS = 10
"""Pairs of labels that are named as taken for each other."""


def of_labels(answers: Sequence[str], references: Sequence[str], choices: Sequence[str]) -> dict[str, Any]:
    """Count right and wrong answers label by label.

    Args:
        answers: The label that was chosen for each row.
        references: The right label of each row, in the same order.
        choices: The labels that can be chosen, in their order; others that rows have come behind.

    Returns:
        ``labels``; ``each`` with ``precision``, ``recall``, ``f1``, ``rows`` and ``chosen``; ``macro`` and
        ``weighted``, their means over labels that rows or answers have, each weighing the same or by its rows;
        ``matrix``, its lines the right labels and its columns the chosen ones; ``confused``, the most frequent
        mistakes; ``commonest``, the share of right answers that always saying the commonest label would give.

    Formula:
        ``precision = right / chosen``, ``recall = right / rows``, ``f1 = 2 right / (rows + chosen)``; 0 where the
        divisor is 0 (as scikit-learn does).

    Example:
        >>> found = of_labels(["a", "a", "b"], ["a", "b", "b"], ["a", "b"])
        >>> found["matrix"], found["each"][0]["f1"], found["confused"]
        ([[1, 0], [1, 1]], 0.6666666666666666, [{'right': 'b', 'chosen': 'a', 'rows': 1}])
    """
    labels = [*choices, *sorted(set(references) - set(choices))]
    matrix = _matrix(answers, references, labels)
    rows = [sum(line) for line in matrix]
    chosen = [sum(column) for column in zip(*matrix, strict=True)]
    each: list[dict[str, Any]] = [
        {
            "label": label,
            "precision": _share(matrix[at][at], chosen[at]),
            "recall": _share(matrix[at][at], rows[at]),
            "f1": _share(2 * matrix[at][at], rows[at] + chosen[at]),
            "rows": rows[at],
            "chosen": chosen[at],
        }
        for at, label in enumerate(labels)
    ]
    seen = [one for one in each if one["rows"] or one["chosen"]]
    mistakes = [
        (count, labels[line], labels[column])
        for line, counts in enumerate(matrix)
        for column, count in enumerate(counts)
        if count and line != column
    ]
    worst = sorted(mistakes, key=lambda mistake: -mistake[0])[:PAIRS]
    top = max(range(len(labels)), key=rows.__getitem__)
    return {
        "labels": labels,
        "each": each,
        "macro": _averaged(seen, [1] * len(seen)),
        "weighted": _averaged(seen, [int(one["rows"]) for one in seen]),
        "matrix": matrix,
        "confused": [{"right": right, "chosen": other, "rows": count} for count, right, other in worst],
        "commonest": {"label": labels[top], "share": _share(rows[top], len(answers))},
    }


def calibration(sure: Sequence[float], answers: Sequence[str], references: Sequence[str]) -> dict[str, Any]:
    """Compare how sure a model was of its labels with how often they were right.

    Args:
        sure: The probability that it gave to the label it chose.
        answers: The label that was chosen for each row.
        references: The right label of each row.

    Returns:
        ``error``, the expected calibration error, and ``bins``: mean probability, share of right labels and rows of
        each tenth that has rows.

    Formula:
        ``sum over tenths of rows/all * |share right - mean probability|``

    Source:
        Guo et al., On Calibration of Modern Neural Networks, 2017, equation 3, with ten bins of equal width.

    Example:
        >>> round(calibration([0.95, 0.95, 0.55], ["a", "a", "b"], ["a", "b", "b"])["error"], 6)
        0.45
    """
    bins: dict[int, list[tuple[float, bool]]] = {}
    for chance, answer, reference in zip(sure, answers, references, strict=True):
        bins.setdefault(min(9, max(0, math.ceil(10 * chance) - 1)), []).append((chance, answer == reference))
    told = [
        {
            "sure": sum(chance for chance, _ in rows) / len(rows),
            "right": sum(right for _, right in rows) / len(rows),
            "rows": len(rows),
        }
        for _, rows in sorted(bins.items())
    ]
    error = sum(each["rows"] * abs(each["right"] - each["sure"]) for each in told) / len(sure)
    return {"error": error, "bins": told}


def _averaged(each: Sequence[dict[str, Any]], weights: Sequence[int]) -> dict[str, float]:
    total = sum(weights) or 1
    return {
        figure: sum(weight * one[figure] for weight, one in zip(weights, each, strict=True)) / total
        for figure in ("precision", "recall", "f1")
    }


def macro_f1(answers: Sequence[str], references: Sequence[str], *, seed: int) -> Mean:
    """Mean of the F1 scores of all labels that rows or answers have, each label weighing the same.

    Args:
        answers: The label that was chosen for each row.
        references: The right label of each row.
        seed: Seed of the bootstrap: 2,000 draws of rows with replacement give the 95 % interval.
    """
    import numpy as np

    labels = sorted({*answers, *references})
    place = {label: at for at, label in enumerate(labels)}
    cells = np.array([place[r] * len(labels) + place[a] for r, a in zip(references, answers, strict=True)])

    def score(cells: np.ndarray) -> float:
        matrix = np.bincount(cells, minlength=len(labels) ** 2).reshape(len(labels), len(labels))
        seen = matrix.sum(0) + matrix.sum(1)
        return float((2 * matrix.diagonal()[seen > 0] / seen[seen > 0]).mean())

    random = np.random.default_rng(seed)
    drawn = [score(cells[random.integers(0, len(cells), len(cells))]) for _ in range(RESAMPLES)]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Mean(score(cells), float(low), float(high), len(cells))


def _matrix(answers: Sequence[str], references: Sequence[str], labels: Sequence[str]) -> list[list[int]]:
    place = {label: at for at, label in enumerate(labels)}
    matrix = [[0] * len(labels) for _ in labels]
    for answer, reference in zip(answers, references, strict=True):
        matrix[place[reference]][place[answer]] += 1
    return matrix


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
