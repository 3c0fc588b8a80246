"""Votes of sources on one value: who copies whom, how reliable each is, and what most of the evidence says.

Sources that tell the same of everything they share, gaps included, are one feed, and a feed has one vote: ten sites
that copy one mistake must not outvote two that looked for themselves. Then each feed counts by how often it is with
the majority on a column (its log odds of being right, as in Dong, Berti-Equille and Srivastava, Integrating
Conflicting Data: The Role of Source Dependence, VLDB 2009), once and not until nothing changes: the sources that a
loop trusts most are those that agree with themselves.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping
from typing import NamedTuple, TypeAlias

Question: TypeAlias = tuple[Hashable, str]
"""A group and a column: what a vote is on."""
Ballots: TypeAlias = Mapping[Question, Mapping[str, Counter[Hashable]]]
"""For each question what each source says, and how often; None where it leaves a gap."""

SAME = 0.98
"""Share of common cells in which two sources of one feed tell the same."""
SHARED = 20
"""Cells that two sources must have in common at least to be taken for one feed."""


class Verdict(NamedTuple):
    """The outcome of a vote: the value, its share of the weight, and how many rows say it."""

    value: Hashable
    share: float
    rows: int


def feeds(ballots: Ballots) -> dict[str, str]:
    """The feed of each source, named by the first of its sources."""
    told: dict[str, dict[Question, Hashable]] = defaultdict(dict)
    for question, voices in ballots.items():
        for source, said in voices.items():
            told[source][question] = max(said, key=lambda value: (said[value], str(value)))
    feed: dict[str, str] = {}
    leaders: list[str] = []
    for source in sorted(told):
        feed[source] = next((other for other in leaders if _are_one(told[source], told[other])), source)
        if feed[source] == source and len(told[source]) >= SHARED:
            leaders.append(source)
    return feed


def decide(ballots: Ballots) -> dict[Question, Verdict]:
    """Count the votes on every question of which anything is known."""
    feed = feeds(ballots)
    first = {question: _count(voices, feed, {}, question[1]) for question, voices in ballots.items()}
    weights = _weights(ballots, feed, first)
    decided = {question: _count(voices, feed, weights, question[1]) for question, voices in ballots.items()}
    return {question: verdict for question, verdict in decided.items() if verdict is not None}


def _are_one(one: Mapping[Question, Hashable], other: Mapping[Question, Hashable]) -> bool:
    common = one.keys() & other.keys()
    return len(common) >= SHARED and sum(one[key] == other[key] for key in common) >= SAME * len(common)


def _count(
    voices: Mapping[str, Counter[Hashable]],
    feed: Mapping[str, str],
    weights: Mapping[tuple[str, str], float],
    column: str,
) -> Verdict | None:
    by_feed: dict[str, Counter[Hashable]] = defaultdict(Counter)
    rows: Counter[Hashable] = Counter()
    for source, said in voices.items():
        for value, times in said.items():
            if value is not None:
                by_feed[feed[source]][value] += times
                rows[value] += times
    if not rows:
        return None
    weight: dict[Hashable, float] = defaultdict(float)
    for name, said in sorted(by_feed.items()):
        for value, times in said.items():
            weight[value] += weights.get((name, column), 1.0) * times / said.total()
    best = max(weight, key=lambda value: (weight[value], rows[value], str(value)))
    return Verdict(best, weight[best] / sum(weight.values()), rows[best])


def _weights(
    ballots: Ballots, feed: Mapping[str, str], first: Mapping[Question, Verdict | None]
) -> dict[tuple[str, str], float]:
    """The weight of each feed on each column: log odds of ten wrong values against its share of right ones."""
    right: Counter[tuple[str, str]] = Counter()
    told: Counter[tuple[str, str]] = Counter()
    for question, voices in ballots.items():
        verdict = first[question]
        for source, said in voices.items():
            key = (feed[source], question[1])
            for value, times in said.items():
                if value is not None and verdict is not None:
                    told[key] += times
                    right[key] += times if value == verdict.value else 0
    weights = {}
    for key, times in told.items():
        accuracy = min(max((right[key] + 1) / (times + 2), 0.02), 0.98)
        weights[key] = max(math.log(10 * accuracy / (1 - accuracy)), 0.01)
    return weights
