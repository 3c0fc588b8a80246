"""Every metric against the library or the formula that defines it."""

from __future__ import annotations

import re
import string
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneloop.evaluation.metrics import Metric
from tuneloop.parts import find, names

NAMES = ["chrf", "exact_match", "rouge_l", "token_f1"]
PAIRS = [
    ("the cat sat on the mat", "a cat sat on a mat"),
    ("Booking for Anna, 19:30", "booking for Anna at 19:30"),
    ("no overlap", "something else entirely"),
    ("runs running ran", "run runner ran"),
    ("one", "one two three four five six"),
]
texts = st.text(max_size=30)


def score(name: str, answer: str, reference: str, **options: object) -> float:
    return find(Metric, name)(**options).score([answer], [reference])[0]


def test_the_family_holds_these_metrics() -> None:
    assert [name for name in names(Metric) if name in NAMES] == NAMES


def test_exact_match_ignores_only_outer_white_space() -> None:
    assert score("exact_match", ' {"a":1}\n', '{"a":1}') == 1
    assert score("exact_match", '{"a": 1}', '{"a":1}') == 0
    assert score("exact_match", "Yes", "yes") == 0
    assert score("exact_match", "", "  ") == 1


def squad_f1(answer: str, reference: str) -> float:
    """SQuAD's evaluation, written from its paper for texts in ASCII."""

    def tokens(text: str) -> list[str]:
        text = "".join(sign for sign in text.lower() if sign not in string.punctuation)
        return re.sub(r"\b(a|an|the)\b", " ", text).split()

    a, r = tokens(answer), tokens(reference)
    same = sum((Counter(a) & Counter(r)).values())
    if not a or not r:
        return float(a == r)
    if not same:
        return 0.0
    precision, recall = same / len(a), same / len(r)
    return 2 * precision * recall / (precision + recall)


@given(
    st.text(alphabet="the an cat sat. A-z'", max_size=40),
    st.text(alphabet="the an cat sat. A-z'", max_size=40),
)
def test_token_f1_is_squads_on_ascii(answer: str, reference: str) -> None:
    assert score("token_f1", answer, reference) == pytest.approx(squad_f1(answer, reference))


def test_token_f1_counts_chinese_by_characters() -> None:
    assert score("token_f1", "今天下雨", "今天下雪。") == pytest.approx(0.75)
    assert score("token_f1", "买2公斤rice", "买 2 公斤 rice") == 1


def test_token_f1_compares_compact_json_field_by_field() -> None:
    answer, reference = '{"person":"Anna","time":"19:30","sum":1,000}', '{"person":"Anna","time":"19:00","sum":1000}'
    assert score("token_f1", answer, reference) == pytest.approx(2 * 6 / 14)


@pytest.mark.parametrize(("answer", "reference"), PAIRS)
def test_rouge_l_is_the_librarys_number_on_ascii(answer: str, reference: str) -> None:
    from rouge_score.rouge_scorer import RougeScorer

    theirs = RougeScorer(["rougeL"]).score(reference, answer)["rougeL"].fmeasure
    assert score("rouge_l", answer, reference) == pytest.approx(theirs)


def test_rouge_l_follows_the_paper() -> None:
    # Lin 2004, section 3.1: "police killed the gunman" against "police kill the gunman": LCS 3 of 4 words
    assert score("rouge_l", "police kill the gunman", "police killed the gunman") == pytest.approx(0.75)
    assert score("rouge_l", "the gunman kill police", "police killed the gunman") == pytest.approx(0.5)


def test_rouge_l_sees_chinese_where_the_library_alone_sees_nothing() -> None:
    from rouge_score.rouge_scorer import RougeScorer

    assert RougeScorer(["rougeL"]).score("今天下雨", "今天下雨")["rougeL"].fmeasure == 0
    assert score("rouge_l", "今天下雨", "今天下雨") == 1
    assert score("rouge_l", "今天下雪", "今天下雨") == pytest.approx(0.75)


@pytest.mark.parametrize(("answer", "reference"), [*PAIRS, ("今天下雨", "今天下雪")])
@pytest.mark.parametrize("word_order", [0, 2])
def test_chrf_is_sacrebleus_sentence_score(answer: str, reference: str, word_order: int) -> None:
    import sacrebleu

    theirs = sacrebleu.sentence_chrf(answer, [reference], word_order=word_order).score / 100
    assert score("chrf", answer, reference, word_order=word_order) == pytest.approx(theirs)


def test_chrf_follows_the_papers_formula() -> None:
    # unigrams only, beta 2: "ab" against "abcd" has precision 1 and recall 1/2, so 5 * 0.5 / (4 + 0.5)
    assert score("chrf", "ab", "abcd", char_order=1) == pytest.approx(2.5 / 4.5)


@pytest.mark.parametrize("name", NAMES)
@given(answer=texts, reference=texts)
def test_scores_lie_between_0_and_1_and_equal_texts_score_1(name: str, answer: str, reference: str) -> None:
    assert 0 <= score(name, answer, reference) <= 1 + 1e-12
    assert score(name, reference, reference) == pytest.approx(1)


@pytest.mark.parametrize("name", NAMES)
@given(rows=st.lists(st.tuples(texts, texts), max_size=6))
def test_an_answers_score_does_not_depend_on_its_neighbours(name: str, rows: list[tuple[str, str]]) -> None:
    metric = find(Metric, name)()
    together = metric.score([a for a, _ in rows], [r for _, r in rows])
    assert together == [score(name, a, r) for a, r in rows]


@pytest.mark.parametrize("name", NAMES)
def test_answers_without_reference_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="zip"):
        find(Metric, name)().score(["a", "b"], ["a"])
