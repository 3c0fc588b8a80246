"""Verdict, judgement and findings follow from the scores."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tuneloop.evaluation import findings, verdict
from tuneloop.evaluation.answers import Answered, request, together
from tuneloop.evaluation.compared import Compared, compare_all
from tuneloop.evaluation.loss import HeldOut, by_length
from tuneloop.evaluation.section import Draw, EvaluateSection
from tuneloop.evaluation.shown import Shown
from tuneloop.evaluation.subject import Measured
from tuneloop.rows import Chat, Message, Record
from tuneloop.tasks import Example, Question


def both(figure: str, base: float, tuned: float) -> dict[str, Any]:
    return {"base": {figure: {"mean": base}}, "tuned": {figure: {"mean": tuned}}}


def test_the_verdict_is_one_plain_sentence() -> None:
    scores = both("exact_match", 0.0, 0.944)
    assert verdict.verdict(scores, ["exact_match"], 180, "test") == "Exact match 0 % → 94 % on 180 held-out rows"
    assert (
        verdict.verdict(both("rouge_l", 0.1, 1.0), ["rouge_l"], 1, "train") == "ROUGE-L 10 % → 100 % on 1 training row"
    )
    assert verdict.verdict(both("perplexity", 42.123, 13.4), [], 1200, "validation").startswith(
        "Perplexity 42.12 → 13.4 "
    )


def test_nearly_all_is_not_called_all() -> None:
    assert verdict.spoken("exact_match", 0.998) == "99.8 %"
    assert verdict.spoken("exact_match", 0.002) == "0.2 %"
    assert verdict.spoken("exact_match", 1.0) == "100 %"
    assert verdict.spoken("perplexity", 123456.0) == "123,456"


def showing(scores: list[float], losses: list[float], terms: int = 10) -> Shown:
    return Shown(
        losses={str(row): (terms * loss, terms) for row, loss in enumerate(losses)},
        scores={str(row): {"chrf": score} for row, score in enumerate(scores)},
        answers={str(row): "" for row in range(len(scores))},
    )


def compared(change: float, by: float = 0.0, **names: Any) -> list[Compared]:
    """Forty rows of very different difficulty; the tuned model is better by ``change`` on nearly all of them."""
    base = [(7 * row % 40) / 50 for row in range(40)]
    noise = [(-1) ** row * 0.01 for row in range(40)]
    tuned = [score + change + wobble for score, wobble in zip(base, noise, strict=True)]
    shown = {
        "base": showing(base, base),
        "tuned": showing(tuned, [loss + by + wobble for loss, wobble in zip(base, noise, strict=True)], **names),
    }
    return compare_all(shown, [("base", "tuned")], ["chrf"], seed=0)


@pytest.mark.parametrize(("change", "said"), [(0.02, "better"), (-0.02, "worse"), (0.001, "unclear")])
def test_a_difference_counts_only_beyond_chance(change: float, said: str) -> None:
    assert verdict.judge(compared(change), "chrf") == said


@pytest.mark.parametrize(("by", "said"), [(-0.02, "better"), (0.02, "worse"), (0.001, "unclear")])
def test_of_the_loss_less_is_better(by: float, said: str) -> None:
    assert verdict.judge(compared(0.0, by), "loss") == said


def test_without_a_base_nobody_judges() -> None:
    assert verdict.judge([], "loss") == ""


def test_models_that_count_tokens_differently_are_compared_by_row() -> None:
    assert [each.figure for each in compared(0.0, terms=12)] == ["chrf", "loss/row"]
    assert [each.figure for each in compared(0.0)] == ["chrf", "loss"]


def answered(count: int, finish: str = "stop") -> list[Answered]:
    return [Answered("", "", "", "", "", "", {"tuned": {}}, {"tuned": finish}) for _ in range(count)]


def said(rows: list[Answered], judged: str = "better", split: str = "test", **changes: Any) -> dict[str, str]:
    measured = {
        "tuned": Measured(
            HeldOut(1.0, 2.7, 9, 9, changes.get("dropped", {})), [], [], changes.get("too_long", 0), "cpu"
        )
    }
    section = EvaluateSection.model_validate({"split": split})
    found = findings.of_evaluation(section, measured, rows, judged, findings.Deciding("exact_match"))
    return {finding.evidence: finding.severity for finding in found}


def test_an_unclear_difference_says_how_small_a_one_could_be_seen() -> None:
    by = findings.deciding(compared(0.0005), "chrf")
    assert re.fullmatch(r"; with 40 rows, differences below 0\.\d points cannot be seen", by.unseen)


def test_rows_that_broke_are_an_error_and_rows_that_stay_wrong_a_warning() -> None:
    wrong = {"rows": 9, "wrong": ["a:1", "a:2"], "broken": [], "fixed": [], "against": ""}
    assert [found.severity for found in findings.of_regression(wrong)] == ["warning"]
    broken = findings.of_regression(wrong | {"broken": ["a:2"], "against": "champion"})
    assert [(found.severity, found.rows[0]) for found in broken] == [("error", "a:2")]
    assert findings.of_regression({}) == findings.of_regression(wrong | {"wrong": []}) == []


def test_a_good_evaluation_has_nothing_to_complain_of() -> None:
    assert said(answered(40)) == {}


def test_what_spoils_a_score_is_said() -> None:
    assert "error" in said(answered(40), judged="worse").values()
    assert "warning" in said(answered(40), judged="unclear").values()
    assert said(answered(40, "length")) == {
        "40 of 40 tuned answers were cut off before the model ended them": "warning"
    }
    assert list(said([*answered(40), *answered(1, "length")]).values()) == ["note"]
    assert any("only 5 rows" in evidence for evidence in said(answered(5)))
    assert any("too long (3)" in evidence for evidence in said(answered(40), dropped={"too long": 3}))
    assert any("2 rows fill" in evidence for evidence in said(answered(40), too_long=2))


def asked(**parameters: Any) -> Question:
    content = Chat((Message("user", "hi"), Message("assistant", "ho")), parameters=parameters)
    return Question(Record.of(content, origin="x"), (1, 2), "ho", "hi")


def test_a_rows_own_parameters_are_followed_where_they_can_be() -> None:
    found = request(asked(temperature=0.7, top_p=0.9, top_k=40, max_tokens=20, stop=["\n", 3]), 128, 5)
    assert (found.temperature, found.top_p, found.top_k, found.max_new_tokens) == (0.7, 0.9, 40, 20)
    assert (found.stop, found.seed) == (("\n",), 5)


def test_answers_are_drawn_where_the_recipe_says_so_and_a_row_does_not() -> None:
    assert (request(asked(), 128, 5, Draw()).temperature, request(asked(), 128, 5, Draw()).top_k) == (0.7, 50)
    assert request(asked(temperature=0.1), 128, 5, Draw()).temperature == 0.1


@pytest.mark.parametrize(
    "parameters", [{}, {"temperature": "hot"}, {"temperature": -1}, {"top_k": True}, {"max_tokens": 0}, {"stop": 3}]
)
def test_a_row_without_usable_parameters_is_asked_greedily(parameters: dict[str, Any]) -> None:
    found = request(asked(**parameters), 128, 5)
    assert (found.temperature, found.top_p, found.top_k, found.max_new_tokens, found.stop) == (0.0, 1.0, 0, 128, ())


def test_a_rows_limit_cannot_exceed_the_sections() -> None:
    assert request(asked(max_tokens=4096), 128, 5).max_new_tokens == 128


@pytest.mark.parametrize(
    ("layers", "hidden", "heads", "expected"), [(2, 64, 4, 32), (24, 1024, 16, 10), (80, 8192, 64, 1)]
)
def test_so_many_answers_are_written_at_once_as_memory_allows(
    layers: int, hidden: int, heads: int, expected: int
) -> None:
    from transformers import GPT2Config

    assert together(GPT2Config(n_layer=layers, n_embd=hidden, n_head=heads), 512) == expected


def test_batches_hold_every_example_once_and_bound_the_logits() -> None:
    examples = [Example((0,) * n, (1,) * n, f"{n:03}") for n in (5, 300, 7, 300, 2, 9000)]
    parts = list(by_length(examples, 2**18))
    assert sorted(id(example) for part in parts for example in part) == sorted(map(id, examples))
    assert all(len(part) == 1 or len(part) * len(part[-1].ids) <= 1024 for part in parts)
    assert len(parts) < len(examples)
