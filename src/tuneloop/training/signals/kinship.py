"""Kinship: whether answers belong to their questions and labels to their texts, as far as shared tokens can tell.

No model is asked, so what is found is said of the rows, before the first step.
"""

from __future__ import annotations

import math
from collections import Counter
from itertools import pairwise
from typing import Any

import numpy as np

from tuneloop.tasks import Task
from tuneloop.training.encoded import Encoded
from tuneloop.training.signals.terms import labels

MOST = 2000
"""Examples that are looked at, evenly spaced."""
LEAST = 60
"""Examples that must be there to say anything."""
ASKED = 60
"""Answers whose own question is looked for among all others."""
ALIKE = 0.9
"""Share of a question that another must hold to be all but the same."""
FOLDS = 5
Pair = tuple[frozenset[Any], frozenset[Any]]


def kinship(rows: Encoded, task: Task) -> dict[str, float]:
    """What :func:`of_labels` or :func:`of_answers` tells, as suits the task; nothing for one without either."""
    if task.choices:
        return of_labels(rows)
    return of_answers(rows) if task.term == "token" else {}


def of_answers(rows: Encoded) -> dict[str, float]:
    """How much more answers share with their own questions than with those of other rows.

    What is shared is the weight of an answer's tokens and pairs of tokens that stand in the question, as a share of
    the weight of all of them; a token weighs ``log(examples / examples with it)``.

    Args:
        rows: Questions with answers.

    Returns:
        ``kinship``: the mean over rows of (shared with the own question - shared with another one), and its ``error``;
        ``strangers``: about which share of answers belongs to the question of another row and not to its own, and its
        ``error``; not where few different answers stand behind many questions, as with labels: each fits many rows;
        ``near_repeated``: the share of examples with the answer of an earlier one behind all but the same question.
        Nothing where there are too few rows.
    """
    pairs = _pairs(rows)
    if len(pairs) < LEAST:
        return {}
    known = Counter(gram for question, answer in pairs for gram in question | answer)
    weight = {gram: math.log(len(pairs) / count) for gram, count in known.items()}
    near = {"near_repeated": _repeated(pairs, weight)}
    if len({question for question, _ in pairs}) < len(pairs) / 2:
        return near  # few questions with many answers each: any answer belongs to most of them
    own = np.array([_shared(answer, question, weight) for question, answer in pairs])
    steps = np.random.default_rng(0).integers(1, len(pairs), (4, len(pairs)))
    places = (np.arange(len(pairs)) + steps) % len(pairs)
    other = np.array([[_shared(pairs[row][1], pairs[at][0], weight) for row, at in enumerate(by)] for by in places])
    more = own - other.mean(axis=0)
    return near | {
        "kinship": float(more.mean()),
        "kinship/error": float(more.std(ddof=1) / math.sqrt(len(more))),
        **(_strangers(pairs, weight, own, other) if len({answer for _, answer in pairs}) > len(pairs) / 2 else {}),
    }


def near_seen(train: Encoded, held_out: Encoded) -> float:
    """The share of held-out examples with the answer of a training example behind all but the same question.

    Args:
        train: What is learned from.
        held_out: What is measured on.
    """
    learned, asked = _pairs(train), _pairs(held_out)
    known = Counter(gram for question, answer in learned + asked for gram in question | answer)
    weight = {gram: math.log((len(learned) + len(asked)) / count) for gram, count in known.items()}
    behind: dict[frozenset[Any], list[frozenset[Any]]] = {}
    for question, answer in learned:
        behind.setdefault(answer, []).append(question)
    met = [_alike(question, behind.get(answer, []), weight) for question, answer in asked]
    return sum(met) / len(met) if met else 0.0


def _strangers(pairs: list[Pair], weight: dict[Any, float], own: np.ndarray, other: np.ndarray) -> dict[str, float]:
    """Count answers that share no more with their question than any, but as much with another as kin do."""
    limit = float(np.quantile(other, 0.95))
    kin = own[own > limit]
    if len(kin) < 0.1 * len(own):
        return {}
    like_kin = float(np.median(kin))
    strangers = np.flatnonzero(own <= limit)
    asked = strangers[np.linspace(0, len(strangers) - 1, min(len(strangers), ASKED)).astype(int)].tolist()
    exchanged = [any(_shared(pairs[row][1], question, weight) >= like_kin for question, _ in pairs) for row in asked]
    found, count = sum(exchanged) / max(1, len(exchanged)), max(1, len(exchanged))
    share = len(strangers) / len(own)
    error = 2 * share * math.sqrt(max(found * (1 - found), 1 / count) / count)
    return {
        "strangers": min(1.0, 2 * found) * share,
        "strangers/error": error,
    }  # half of kin share less than the median


def _repeated(pairs: list[Pair], weight: dict[Any, float]) -> float:
    """The share of examples whose answer stood before, behind a question that holds this one or is held by it."""
    before: dict[frozenset[Any], list[frozenset[Any]]] = {}
    again = 0
    for question, answer in pairs:
        known = before.setdefault(answer, [])
        again += _alike(question, known, weight)
        known.append(question)
    return again / len(pairs)


def _alike(question: frozenset[Any], others: list[frozenset[Any]], weight: dict[Any, float]) -> bool:
    """Whether a question holds one of the others, or is held by it, all but a little."""
    held = (max(_shared(question, one, weight), _shared(one, question, weight)) for one in others[-ASKED:])
    return any(share > ALIKE for share in held)


def _pairs(rows: Encoded) -> list[Pair]:
    """Tokens and pairs of tokens of the question and of the first answer of some examples."""
    labelled = labels(rows)
    found = []
    for index in np.linspace(0, len(rows) - 1, min(len(rows), MOST)).astype(int).tolist():
        end = int(rows.ends[index])
        begin = end - rows.length(index)
        marks = labelled[begin:end]
        start = int(marks.argmax())
        stop = start + int((~marks[start:]).argmax()) if not marks[start:].all() else len(marks)
        ids = rows.ids[begin:end].tolist()
        if start > 1:
            found.append((_grams(ids[:start]), _grams(ids[start:stop])))
    return found


def _grams(ids: list[int]) -> frozenset[Any]:
    return frozenset(ids) | frozenset(pairwise(ids))


def _shared(answer: frozenset[Any], question: frozenset[Any], weight: dict[Any, float]) -> float:
    """Weight of what an answer shares with a question, as a share of the answer's own."""
    whole = math.fsum(weight[gram] for gram in answer)
    return math.fsum(weight[gram] for gram in answer & question) / whole if whole > 0 else 0.0


def of_labels(rows: Encoded) -> dict[str, float]:
    """What a simple reader, who counts tokens, can tell of each label from the other rows.

    The reader is naive Bayes over the presence of tokens, fitted on four fifths of the rows and asked about the last
    one, with its log-odds made as confident as suits the rows (one temperature for all).

    Args:
        rows: Examples whose first mark is the number of their label.

    Returns:
        ``labels``: how many there are; ``label_entropy``: nats of the labels alone; ``label_gain``: nats by which the
        reader does better than one that knows only how frequent labels are, and its ``error``; ``clear_wrong``: the
        share of wrong labels among the quarter of rows that the reader is surest of, and ``unclear_wrong`` among all
        others.

    Source:
        Northcutt et al., Confident Learning, 2021, for judging labels by predictions out of sample; Domingos and
        Pazzani, On the Optimality of the Simple Bayesian Classifier, 1997.
    """
    if len(rows) < LEAST or not rows.marks.size:
        return {}
    chosen = np.linspace(0, len(rows) - 1, min(len(rows), MOST)).astype(int)
    label = rows.marks[chosen, 0]
    names, label = np.unique(label, return_inverse=True)
    if len(names) < 2:
        return {}
    log_odds = _read(rows, chosen, label, len(names))
    share = np.bincount(label) / len(label)
    alone = -np.log(share[label])
    temperature = min((0.02, 0.05, 0.1, 0.2, 0.4, 0.7, 1.0), key=lambda by: _lost(log_odds * by, label).mean())
    gain = alone - _lost(log_odds * temperature, label)
    ordered = np.sort(log_odds, axis=1)
    sure = (ordered[:, -1] - ordered[:, -2]).argsort()[::-1]
    wrong = (log_odds.argmax(axis=1) != label)[sure]
    quarter = len(wrong) // 4
    return {
        "labels": float(len(names)),
        "label_entropy": float(alone.mean()),
        "label_gain": float(gain.mean()),
        "label_gain/error": float(gain.std(ddof=1) / math.sqrt(len(gain))),
        "clear_wrong": float(wrong[:quarter].mean()),
        "unclear_wrong": float(wrong[quarter:].mean()),
    }


def _read(rows: Encoded, chosen: np.ndarray, label: np.ndarray, names: int) -> np.ndarray:
    """Log-odds of every label for every row, up to a constant of the row, ``(rows, labels)``."""
    ids = [np.unique(rows.ids[rows.ends[row] - rows.length(row) : rows.ends[row]]) for row in chosen.tolist()]
    width = int(max(each.max() for each in ids)) + 1
    fold = np.random.default_rng(0).permutation(len(ids)) % FOLDS
    told = np.zeros((len(ids), names))
    for part in range(FOLDS):
        there, rest = np.zeros((names, width)), np.flatnonzero(fold != part)
        for row in rest.tolist():
            there[label[row], ids[row]] += 1
        count = np.bincount(label[rest], minlength=names)[:, None]
        present = (there + 0.5) / (count + 1)
        weight = np.log(present) - np.log1p(-present)
        base = np.log(count[:, 0] + 0.5) + np.log1p(-present).sum(axis=1)
        for row in np.flatnonzero(fold == part).tolist():
            told[row] = base + weight[:, ids[row]].sum(axis=1)
    return np.asarray(told - told.mean(axis=1, keepdims=True))


def _lost(log_odds: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Nats that each row's label loses under log-odds, ``(rows,)``."""
    top = log_odds.max(axis=1, keepdims=True)
    return np.asarray(top[:, 0] + np.log(np.exp(log_odds - top).sum(axis=1)) - log_odds[np.arange(len(label)), label])
