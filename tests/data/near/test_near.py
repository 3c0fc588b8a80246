"""Near texts: tokens, keys and pairs, against definitions written out in plain Python."""

from __future__ import annotations

import random
import unicodedata
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuneloop.data.near.bands import found, shape
from tuneloop.data.near.groups import CROWD
from tuneloop.data.near.others import near_to
from tuneloop.data.near.overlap import Repeats
from tuneloop.data.near.pairs import leaders, near_pairs
from tuneloop.data.near.search import Search
from tuneloop.data.near.shelf import Shelf
from tuneloop.data.near.tokens import PART, tokens

WORDS = [f"w{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"]
TEXTS = st.lists(st.lists(st.sampled_from(WORDS[:5]), min_size=1, max_size=8).map(" ".join), min_size=1, max_size=14)
FREE = {"protect": ()}


def alike(a: str, b: str) -> float:
    """Dice similarity of words and word pairs, by the book."""
    one, other = ({(w,) for w in t} | set(pairwise(t)) for t in (a.split(), b.split()))
    return 2 * len(one & other) / (len(one) + len(other))


def count(text: str) -> int:
    return len(tokens([text]).flat)


def same(a: str, b: str) -> bool:
    return bool(np.array_equal(tokens([a]).flat & ~np.uint64(60), tokens([b]).flat & ~np.uint64(60)))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("It’s 2,000 km.", "its ２０００ KM"),
        ("Don't!", "dont"),
        ("three tips, please", "3 tips please"),
        ("五个建议", "5个建议"),
        ("如何学习　Python？", "如何学习python"),
        ("cafe\u0301", "CAFÉ"),
        ("9 × 3", "9*3"),
        ("2019–2020", "2019-2020"),
    ],
)
def test_spellings_of_the_same_text_are_the_same(one: str, other: str) -> None:
    assert same(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("91-33=", "91+33="),
        ("3.5", "5.3"),
        ("?!", "!?"),
        ("你好吗", "你吗好"),
        ("I like 😀", "I like 😡"),
        ("a b", "ab"),
    ],
)
def test_what_says_something_else_is_not_the_same(one: str, other: str) -> None:
    assert not same(one, other)


def test_tokens_are_words_or_single_characters_by_script() -> None:
    assert [count(text) for text in ("use Python3", "用Python写", "state-of-the-art", "", "?!", "ราคา")] == [
        2,
        3,
        4,
        1,
        1,
        4,
    ]


@given(st.text(max_size=40))
def test_the_table_folds_as_normalizing_does(text: str) -> None:
    assert same(text, unicodedata.normalize("NFKC", text))


@given(st.lists(st.text(max_size=20), min_size=1, max_size=6))
def test_a_batch_gives_what_each_text_gives_alone(texts: list[str]) -> None:
    together = tokens(texts)
    for i, text in enumerate(texts):
        assert np.array_equal(together.flat[together.starts[i] : together.starts[i + 1]], tokens([text]).flat)


@settings(deadline=None, max_examples=60)
@given(TEXTS, st.sampled_from([0.5, 0.8, 1.0]))
def test_every_pair_given_is_as_alike_as_said_and_clusters_are_those_of_all_pairs(
    texts: list[str], least: float
) -> None:
    near = list(near_pairs(texts, Search(similarity=least, **FREE)))
    for pair in near:
        assert pair.earlier < pair.later
        assert pair.similarity == pytest.approx(alike(texts[pair.earlier], texts[pair.later]))
        assert pair.similarity >= least
    if least > 0.5:  # where so few texts are missed next to never
        wanted = [(i, j) for i, j in combinations(range(len(texts)), 2) if alike(texts[i], texts[j]) >= least + 0.05]
        groups = components(len(texts), [(pair.earlier, pair.later) for pair in near])
        assert all(groups[i] == groups[j] for i, j in wanted)


def components(size: int, pairs: list[tuple[int, int]]) -> list[int]:
    group = list(range(size))
    for a, b in pairs:
        group = [group[a] if of == group[b] else of for of in group]
    return group


def test_similarity_is_symmetric() -> None:
    texts = ["a b c d e", "a b c d x", "x a b c d"]
    with Shelf(None) as shelf:
        shelf.add(tokens(texts))
        for i, j in combinations(range(3), 2):
            assert shelf.similarity(i, j, 0.1, ()) == shelf.similarity(j, i, 0.1, ()) == alike(texts[i], texts[j])


@pytest.mark.parametrize("least", [0.6, 0.8, 0.9])
def test_as_many_pairs_are_found_as_the_formula_of_the_bands_says(least: float) -> None:
    draw, texts = random.Random(5), []
    for i in range(600):
        words = [f"{i}w{n}" for n in range(60)]
        texts.append(" ".join(words))
        for at in draw.sample(range(60), draw.randrange(1, 12)):
            words[at] = f"{i}y{at}"
        texts.append(" ".join(words))
    search = Search(similarity=least, **FREE)
    hits = {pair.later for pair in near_pairs(texts, search)}
    there = [i for i in range(1, len(texts), 2) if alike(texts[i - 1], texts[i]) >= least]
    expected = sum(found(s / (2 - s), search.shape) for s in (alike(texts[i - 1], texts[i]) for i in there))
    assert len(there) > 50
    assert len(hits & set(there)) >= expected - 3 * (len(there) * 0.02) ** 0.5 - 1
    assert hits <= set(there)


def test_long_keys_are_chosen_that_still_find_what_is_wanted() -> None:
    for jaccard in np.linspace(0.05, 1, 40):
        chosen = shape(float(jaccard))
        assert found(float(jaccard), chosen) >= 0.979
        assert chosen.bands >= 1


def test_equal_input_gives_equal_pairs_and_another_seed_the_same_here() -> None:
    draw = random.Random(2)
    texts = [" ".join(draw.choices(WORDS[:8], k=10)) for _ in range(300)]
    runs = [list(leaders(texts, Search(seed=seed, **FREE))) for seed in (1, 1, 2)]
    assert runs[0] == runs[1]
    assert len(runs[0]) == pytest.approx(len(runs[2]), abs=3)


def test_whoever_goes_is_near_one_that_stays_and_the_order_decides_who_stays() -> None:
    draw = random.Random(3)
    texts = [" ".join(draw.choices(WORDS[:6], k=9)) for _ in range(200)]
    order = np.array(draw.sample(range(200), 200))
    rank = {int(text): place for place, text in enumerate(order)}
    gone = list(leaders(texts, Search(**FREE), order=order))
    assert gone
    for near in gone:
        assert near.earlier not in {other.later for other in gone}
        assert rank[near.earlier] < rank[near.later]


def test_rows_of_one_template_are_compared_with_a_few_only() -> None:
    same_words = " ".join(WORDS)
    texts = [f"{same_words} and the number is {i}" for i in range(4 * CROWD)]
    search = Search()
    assert list(near_pairs(texts, search)) == []
    assert search.counts["compared"] <= len(texts) * 2 * CROWD
    search = Search(**FREE)
    assert len(list(near_pairs(texts, search))) == len(texts) - 1
    assert search.counts["compared"] <= 2 * len(texts)


@pytest.mark.parametrize(
    ("one", "other", "what"),
    [
        ("Work out the sum for me please: 91 + 33", "Work out the sum for me please: 91 + 34", "numbers"),
        ("Work out the value for me please: 91 + 33", "Work out the value for me please: 91 - 33", "numbers"),
        ("Please list three tips for a healthy life", "Please list four tips for a healthy life", "numbers"),
        ("What should I see when I visit Paris in June", "What should I see when I visit Rome in June", "names"),
        ("Should I eat before going to bed at night", "Should I not eat before going to bed at night", "negations"),
        ("成年人每天晚上睡觉之前可以喝咖啡吗", "成年人每天晚上睡觉之前不可以喝咖啡吗", "negations"),
        (f"How do I reset the toaster?{PART}Hold the button of the toaster until the lamp goes out; wait",
         f"How do I reset the kettle?{PART}Hold the button of the kettle until the lamp goes out; wait", "subjects"),
    ],
)  # fmt: skip
def test_what_is_protected_makes_alike_texts_different(one: str, other: str, what: str) -> None:
    least = 0.7
    assert len(list(near_pairs([one, other], Search(similarity=least, protect=())))) == 1
    assert list(near_pairs([one, other], Search(similarity=least, protect=(what,)))) == []  # type: ignore[arg-type]


def test_question_and_answer_must_both_be_alike() -> None:
    long = "because the sun heats the air above the land and the warm air rises until it cools and falls as rain"
    rows = [f"why does it rain{PART}{long}", f"tell me a story{PART}{long}", f"{long}{PART}yes", f"{long}{PART}no"]
    assert list(near_pairs(rows, Search(**FREE))) == []


def test_short_texts_are_near_only_where_they_are_the_same() -> None:
    assert list(near_pairs(["你好吗", "你好啊", "早上好", "ok?", "no!", "?", "!", ""])) == []
    assert [near[:2] for near in near_pairs(["你好吗", "你好吗？", "OK", "ok."])] == [(0, 1), (2, 3)]


def test_others_are_known_and_each_text_gets_the_nearest(tmp_path: Path) -> None:
    others = ["how do i return the shirt i bought in the shop", "how do i return a shirt i bought in the shop", "?"]
    asked = ["the moon is far", f"{others[1].title()} now?", f"{others[0]}!"]
    near = list(near_to(asked, others, Search(spill=tmp_path)))
    assert [(n.earlier, n.later) for n in near] == [(1, 1), (0, 2)]
    assert list(near_to(asked, [])) == list(near_to([], others)) == []


@settings(deadline=None, max_examples=40)
@given(TEXTS, TEXTS)
def test_what_is_near_others_is_what_the_definition_says(texts: list[str], others: list[str]) -> None:
    near = {n.later: n for n in near_to(texts, others, Search(**FREE))}
    for i, text in enumerate(texts):
        best = max(alike(text, other) for other in others)
        if i in near:
            assert near[i].similarity == pytest.approx(best)
        else:
            assert best < 0.85


RUN = "one two three four five six seven eight nine ten eleven twelve thirteen".replace(" ", "x ") + "x"


@pytest.mark.parametrize(
    ("text", "repeats"),
    [
        (f"before {RUN} after", True),
        (f"before {RUN.upper().replace(' ', ', ')} after", True),
        (RUN.rsplit(" ", 1)[0], False),
        (RUN.replace("sixx", "six and"), False),
        (f"{RUN[:30]}{PART}{RUN[30:]}", False),
    ],
)
def test_a_run_of_thirteen_words_is_found_and_none_of_twelve(text: str, repeats: bool) -> None:
    hits = list(Repeats(["something else", f"In the test: {RUN} is asked for here"]).find(["no", text]))
    assert [hit[:2] for hit in hits] == ([(1, 1)] if repeats else [])
    if repeats:
        assert len(hits[0].words.split()) == 13


def test_twenty_characters_are_a_run_and_a_short_text_counts_whole() -> None:
    chinese = "壁胸膜的分部不包括下列四项之中的哪一项内容呢"
    known = Repeats([chinese, "what is the name of the red planet", "the red planet"])
    assert next(iter(known.find([f"请问：{chinese[:20]}？"]))).words == chinese[:20]
    assert not list(known.find([chinese[:19]]))
    assert next(iter(known.find(["so: What is the name of the red planet?"]))).earlier == 1
    assert not list(known.find(["name of the red planet"]))


def test_words_common_to_many_of_the_others_are_a_form() -> None:
    form = " ".join(WORDS[:14])
    known = Repeats([f"{form} {i}" for i in range(11)])
    assert known.common
    assert not list(known.find([form]))
    assert list(Repeats([f"{form} {i}" for i in range(10)]).find([form]))
