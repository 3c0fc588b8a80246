"""Checks that read single rows and facts of the data: each names its fault, and keeps quiet on healthy figures."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping

import numpy as np
import pytest

import tuneloop
from tuneloop.monitoring.checks import Check
from tuneloop.monitoring.history import History
from tuneloop.monitoring.row_losses import FIELDS, RowLosses
from tuneloop.parts import find
from tuneloop.rows import Finding, Signal

MINE = (
    "duplicated",
    "forgetting",
    "label_noise",
    "leak",
    "mask",
    "memorised",
    "never_stops",
    "small_data",
    "template",
    "truncated",
)
RECIPE = {"data": {"sources": ["rows.jsonl"]}, "model": {"base": "embedded"}, "task": "sft"}
GOOD = {
    "data/train/examples": 400,
    "data/train/tokens": 20000,
    "data/train/learned_tokens": 8000,
    "data/train/repeated": 0.0,
    "data/train/ended": 1.0,
    "data/train/unfinished": 0.06,
    "data/train/cut": 0.0,
    "data/train/markers": 0.0,
    "data/train/kinship": 0.31,
    "data/train/kinship/error": 0.01,
    "data/train/strangers": 0.02,
    "data/validation/seen": 0.0,
    "data/validation/examples": 60,
    "template/own": 1.0,
    "model/context": 2048,
}


def history(facts: Mapping[str, float] = {}, changes: tuple[str, ...] = (), **series: list[float]) -> History:
    """A run with good facts but for some, and curves of ten evaluations by names whose ``__`` stands for a slash."""
    made = History(recipe=tuneloop.load(RECIPE, list(changes)).model_dump(mode="json"))
    for name, value in {**GOOD, **facts}.items():
        made.add(Signal(0, name, value, 0.0))
    for name, values in series.items():
        for place, value in enumerate(values):
            made.add(Signal(10 * place, name.replace("__", "/"), value, 0.0))
    return made


def look(name: str, seen: History) -> Finding | None:
    return find(Check, name)().look(seen)


def told(name: str, seen: History) -> Finding:
    finding = look(name, seen)
    assert finding is not None
    assert finding.check == name
    if finding.change:
        tuneloop.load(RECIPE, [finding.change])
    return finding


def epochs(
    *,
    leaks: bool = False,
    heart: float = 0.0,
    count: int = 8,
    steps: int = 24,
    noise: float = 0.05,
    seed: int = 0,
) -> History:
    """A run over some epochs in which ``heart`` nats of every visit stay in memory."""
    chance = random.Random(seed)
    made = History(recipe=tuneloop.load(RECIPE, []).model_dump(mode="json"))

    def add(step: int, name: str, value: float) -> None:
        made.add(Signal(step, name, value, 0.0))

    def general(step: float) -> float:
        return 1.5 + 1.5 * math.exp(-step / (2 * steps))

    add(0, "validation/loss", general(0))
    for step in range(1, count * steps + 1):
        epoch = (step - 1) // steps
        add(step, "train/loss", general(step) - heart * (1 - 0.6**epoch) + chance.gauss(0, noise))
        add(step, "train/epoch", step / steps)
        if step % steps == 0:
            known = heart * (1 - 0.6 ** (epoch + 1)) if leaks else 0.0
            add(step, "validation/loss", general(step) - known + chance.gauss(0, noise / 4))
    return made


@pytest.mark.parametrize("name", MINE)
def test_nothing_is_said_of_good_figures(name: str) -> None:
    losses = [3.0, 2.5, 2.2, 2.1, 2.05, 2.02]
    assert look(name, history(validation__loss=losses, train__loss=losses, general__loss=[2.0, 2.1, 2.1])) is None


def test_repeated_rows_are_named_with_the_transform_that_removes_them() -> None:
    found = told("duplicated", history({"data/train/repeated": 0.6}, ("data.transforms=[normalize]",)))
    assert found.severity == "warning"
    assert found.change == "data.transforms.duplicates={}"
    changed = tuneloop.load(RECIPE, ["data.transforms=[normalize]", found.change])
    assert [each.name for each in changed.data.transforms] == ["normalize", "duplicates"]


def test_rows_that_hardly_differ_are_repeated_too_unless_the_recipe_varied_them() -> None:
    near = {"data/train/near_repeated": 0.8}
    assert told("duplicated", history(near)).change == "data.transforms.near_duplicates={}"
    assert look("duplicated", history(near, ("data.augment=[swap]",))) is None


def test_rows_that_the_recipe_itself_repeats_are_no_duplicates() -> None:
    assert look("duplicated", history({"data/train/repeated": 0.6}, ("data.balance=oversample",))) is None


def test_held_out_rows_that_were_learned_from_are_a_leak() -> None:
    assert told("leak", history({"data/validation/seen": 1.0})).severity == "error"
    assert told("leak", history({"data/validation/seen": 0.1})).severity == "warning"
    near = told("leak", history({"data/validation/seen": 0.0, "data/validation/near_seen": 0.9}))
    assert near.severity == "error" and "all but the same question" in near.evidence


@pytest.mark.parametrize("seed", range(10))
def test_a_held_out_loss_that_falls_with_memory_is_a_leak_in_any_log(seed: int) -> None:
    found = told("leak", epochs(leaks=True, heart=1.2, noise=0.03, seed=seed))
    assert found.severity == "warning"
    assert found.figures["fell"] > 0.5


def test_a_held_out_loss_that_does_not_share_the_memory_is_hardly_ever_a_leak() -> None:
    chance = random.Random(5)
    alarms = sum(
        look(
            "leak",
            epochs(
                heart=chance.uniform(0.0, 1.4),
                noise=chance.uniform(0.01, 0.2),
                seed=chance.randrange(10**6),
                count=chance.randint(2, 12),
                steps=chance.randint(3, 40),
            ),
        )
        is not None
        for _ in range(300)
    )
    assert alarms <= 1


def test_questions_that_are_learned_and_answers_that_are_not_are_mask_faults() -> None:
    facts = {"data/train/learned_tokens": 19900.0}
    assert told("mask", history(facts, ("task.sft.learn_from=all",))).change == "task.sft.learn_from=assistant"
    assert told("mask", history({"data/train/learned_tokens": 20.0})).severity == "error"
    assert look("mask", history(facts, ("task=pretrain",))) is None


def test_rows_without_an_end_are_told_and_pretraining_needs_none() -> None:
    assert told("never_stops", history({"data/train/ended": 0.0})).severity == "error"
    assert look("never_stops", history({"data/train/ended": 0.0}, ("task=pretrain",))) is None


def test_an_end_token_that_is_not_expected_anywhere_is_told() -> None:
    series = {
        "validation__end_early": [0.001] * 4,
        "samples__stopped": [0.0] * 4,
        "validation__loss": [3.0, 2.5, 2.2, 2.0],
    }
    ends = [9.0, 7.0, 6.0, 5.5]
    assert (
        look("never_stops", history(validation__end_probability=[0.001] * 4, validation__loss__end=ends, **series))
        is None
    )
    found = told("never_stops", history(validation__end_probability=[0.001] * 4, **series))
    assert (found.severity, found.advice.split(",")[0]) == ("note", "train longer")  # the rows have their ends
    unknown = history(validation__end_probability=[0.001] * 4, **series)
    del unknown._series["data/train/ended"]
    assert told("never_stops", unknown).severity == "warning"
    assert look("never_stops", history(validation__end_probability=[0.001, 0.01, 0.1, 0.3], **series)) is None


def test_answers_cut_in_their_middle_are_told_and_short_rows_get_room() -> None:
    assert told("truncated", history({"data/train/unfinished": 0.8})).severity == "warning"
    assert look("truncated", history({"data/train/unfinished": 0.8}, ("task=pretrain",))) is None
    found = told("truncated", history({"data/train/cut": 0.5}, ("train.max_length=256",)))
    assert found.change == "train.max_length=512"


def test_another_template_is_a_fault_where_the_model_expected_more_under_its_own() -> None:
    facts = {"template/own": 0.0, "template/own_loss": 2.0, "template/error": 0.02}
    worse = history({**facts, "template/used_loss": 2.4}, ("model.chat_template=other.jinja",))
    assert told("template", worse).change == "model.chat_template=null"
    same = history({**facts, "template/used_loss": 2.03}, ("model.chat_template=other.jinja",))
    assert told("template", same).severity == "note"
    assert told("template", history({"data/train/markers": 0.9})).severity == "warning"


def test_forgetting_is_told_where_far_more_is_lost_than_gained() -> None:
    lost = history(validation__loss=[2.0, 1.6, 1.5], general__loss=[2.0, 3.0, 4.5])
    assert told("forgetting", lost).change.startswith("train.optimizer.adamw.learning_rate=")
    price = history(validation__loss=[9.0, 3.0, 1.5], general__loss=[2.0, 5.0, 8.0])
    assert told("forgetting", price).severity == "note"
    some = {"validation__loss": [6.5, 5.6, 5.5], "general__loss": [0.3, 2.0, 3.1]}
    assert told("forgetting", history({"model/vocabulary": 361}, **some)).severity == "note"
    some["general__loss"] = [2.2, 10.0, 13.8]
    assert told("forgetting", history({"model/vocabulary": 361}, **some)).severity == "warning"


def test_answers_of_other_questions_are_label_noise() -> None:
    found = told("label_noise", history({"data/train/strangers": 0.3}))
    assert found.severity == "warning"
    none = {"data/train/kinship": 0.002, "data/train/kinship/error": 0.004, "validation/shuffled_loss/error": 0.01}
    losses = {"validation__loss": [3.0], "validation__shuffled_loss": [3.001]}
    assert told("label_noise", history(none, **losses)).severity == "error"
    losses["validation__shuffled_loss"] = [3.2]
    assert look("label_noise", history(none, **losses)) is None, "the model found what words do not show"


LABELS = {"labels": 4, "label_entropy": 1.38, "label_gain": 0.9, "label_gain/error": 0.05, "clear_wrong": 0.01}


@pytest.mark.parametrize(
    ("facts", "lowest", "severity"),
    [
        ({"unclear_wrong": 0.2}, 0.4, None),
        ({"unclear_wrong": 0.45, "label_gain": 0.2, "clear_wrong": 0.4}, 1.1, "warning"),
        ({"unclear_wrong": 0.45, "label_gain": 0.2, "clear_wrong": 0.4}, 0.2, None),
        ({"unclear_wrong": 0.75, "label_gain": 0.0, "clear_wrong": 0.7}, 1.4, "error"),
        ({"unclear_wrong": 0.75, "label_gain": 0.0, "clear_wrong": 0.7}, 0.3, None),
        ({"unclear_wrong": 0.45, "label_gain": 0.2, "clear_wrong": 0.4, "labels": 77}, 1.1, None),
    ],
)
def test_labels_that_texts_contradict_are_noise_unless_the_model_learns_them(
    facts: dict[str, float], lowest: float, severity: str | None
) -> None:
    given = {f"data/train/{name}": value for name, value in {**LABELS, **facts}.items()}
    seen = history(given, validation__loss=[1.4, lowest])
    seen = _without(seen, "kinship")
    found = look("label_noise", seen)
    assert (found.severity if found else None) == severity


def _without(seen: History, word: str) -> History:
    kept = [
        Signal(step, name, value, 0.0) for name in seen.names if word not in name for step, value in seen.series(name)
    ]
    return History(kept, seen.recipe)


def with_rows(seen: History, *, last: float, unseen: float, rows: int = 64, visits: int = 20) -> History:
    """Give a run rows that fell to ``last`` over their visits, and held-out rows that lose ``unseen``."""
    chance = np.random.default_rng(1)
    entries = [
        (10 * visit + 1, row, 3.0 + (last - 3.0) * visit / (visits - 1) + chance.normal(0, 0.05), 10)
        for visit in range(visits)
        for row in range(rows)
    ]
    held = [
        (step, row, (value if place + 1 < len(seen.series("validation/loss")) else unseen) + chance.normal(0, 0.2), 10)
        for place, (step, value) in enumerate(seen.series("validation/loss"))
        for row in range(30)
    ]
    seen.train_rows = RowLosses(np.array(entries, FIELDS), "rows.jsonl:{}".format)
    seen.validation_rows = RowLosses(np.array(held, FIELDS))
    seen.add(Signal(10 * visits, "train/epoch", float(visits), 0.0))
    return seen


def test_few_rows_known_by_heart_are_told_with_the_epoch_to_end_at() -> None:
    curve = [3.0, 2.4, 2.3, 2.5, 2.7, 2.9]
    seen = with_rows(history({"data/train/examples": 64}, validation__loss=curve), last=0.3, unseen=2.9)
    assert told("small_data", seen).severity == "warning"
    found = told("memorised", seen)
    assert (found.severity, found.first_step) == ("warning", 20)
    assert len(found.rows) == 10
    assert found.rows[0].startswith("rows.jsonl:")


def test_rows_known_by_heart_are_a_note_while_the_held_out_loss_stays_down() -> None:
    curve = [3.0, 1.2, 1.0, 0.9, 0.9, 0.9]
    seen = with_rows(history(validation__loss=curve), last=0.1, unseen=0.9)
    assert told("memorised", seen).severity == "note"
    assert look("small_data", seen) is None


def test_an_easy_task_that_is_learned_by_all_rows_is_not_memorised() -> None:
    seen = with_rows(history({"data/train/examples": 64}, validation__loss=[3.0, 1.0, 0.2]), last=0.1, unseen=0.15)
    assert look("memorised", seen) is None
    assert look("small_data", seen) is None


def test_rows_of_another_tool_are_judged_by_the_last_epoch() -> None:
    seen = epochs(heart=1.4, count=12, noise=0.02)
    seen.recipe = {"train": {"batch": {"size": 4}}}
    for step, value in ((240, 1.9), (260, 2.0), (288, 2.2)):
        seen.add(Signal(step, "validation/loss", value, 0.0))
    assert look("memorised", seen) or look("small_data", seen)
