"""Crossing: the exact join gives just the pairs that comparing all with all gives."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tuneloop.data.crossing import Crossing
from tuneloop.data.near.search import Search
from tuneloop.data.near.shelf import similarity, taken
from tuneloop.data.near.tokens import tokens

TEXTS = st.lists(
    st.lists(st.sampled_from([*"abcdef12北京好", "not", "Paris"]), max_size=14).map(" ".join),
    min_size=1,
    max_size=25,
)


@settings(max_examples=60, deadline=None)
@given(TEXTS, TEXTS, st.sampled_from([0.3, 0.5, 0.8, 0.95, 1.0]))
def test_no_near_pair_is_missed_and_none_is_made_up(texts: list[str], others: list[str], alike: float) -> None:
    search = Search(similarity=alike)
    with Crossing(others, [1] * len(others), search) as crossing:
        found = {(pair.earlier, pair.later) for pair in crossing.met(texts, [0] * len(texts))}
    one, other = (
        [taken(batch.flat[a:b]) for a, b in zip(batch.starts, batch.starts[1:], strict=False)]
        for batch in (tokens(texts), tokens(others))
    )
    assert found == {
        (j, i) for i, a in enumerate(one) for j, b in enumerate(other) if similarity(b, a, alike, search.protect)
    }


def test_texts_of_one_side_are_not_compared() -> None:
    with Crossing(["to be or not to be"], [1], Search()) as crossing:
        assert list(crossing.met(["to be or not to be"], [1])) == []
