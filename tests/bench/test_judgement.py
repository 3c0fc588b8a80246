"""``bench.judgement``: faults are where they are said to be, clean rows stay clean, and the counts are right."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from bench.faulty import healthy, judge, rows, spoiled
from bench.faulty.faults import FAULTS
from bench.faulty.page import page
from bench.judgement import line, summary

from tuneloop.monitoring.checks import Check
from tuneloop.parts import names

ROWS = [
    {"instruction": f"what is {place}", "input": "", "output": f"it is number {place}, surely."} for place in range(40)
]


def _row(**other: Any) -> dict[str, Any]:
    text = {"kind": "leak", "run": "leak-1", "part": "development", "seed": 1, "model": "m", "data": "d", "error": ""}
    figures = {"loss": 2.0, "harm": 0.5, "harmed": True, "named": True, "named_by": "check", "first": True}
    return {**text, **figures, "findings": [], **other}


@pytest.mark.usefixtures("real")
@pytest.mark.parametrize("name", rows.POOLS)
def test_rows_that_are_measured_on_are_never_drawn(name: str) -> None:
    held = rows.clean(name)
    drawn = rows.draw(name, 10_000, seed=1)
    assert held
    assert all(row not in held for row in drawn)
    assert drawn[:20] != rows.draw(name, 10_000, seed=2)[:20]


@pytest.mark.usefixtures("real")
@pytest.mark.parametrize("name", [name for name, setting in healthy.SETTINGS.items() if ":" not in setting.model])
@pytest.mark.parametrize("seed", [1, 3])
def test_every_healthy_setting_is_a_recipe(name: str, seed: int, tmp_path: Path) -> None:
    case = healthy.case(name, seed)
    assert case.recipe(tmp_path).train.learning_rate == pytest.approx(case.rate)
    assert len(case.rows) > 50


@pytest.mark.usefixtures("real")
@pytest.mark.parametrize(
    "kind", [kind for kind in FAULTS if kind not in ("template", "forgetting", "exploding", "vanishing", "not_finite")]
)
def test_a_planted_fault_changes_the_run_and_nothing_of_its_twin(kind: str, tmp_path: Path) -> None:
    setting = FAULTS[kind].settings[0]
    before = FAULTS[kind].prepare(healthy.case(setting, 1))
    faulty = FAULTS[kind].plant(before)
    faulty.recipe(tmp_path)
    parts = [(case.rows, case.options, case.base, case.during, case.validation) for case in (before, faulty)]
    assert parts[0] != parts[1]
    again = FAULTS[kind].prepare(healthy.case(setting, 1))
    assert (before.rows, before.options) == (again.rows, again.options)


def test_causes_are_checks_that_exist_and_settings_too() -> None:
    assert len(FAULTS) >= 16
    for fault in FAULTS.values():
        assert set(fault.causes) <= set(names(Check))
        assert set(fault.settings + fault.unseen) <= set(healthy.SETTINGS)


def test_shuffling_gives_answers_to_other_questions_and_loses_none() -> None:
    found = spoiled.shuffled(ROWS, random.Random(1))
    assert sorted(row["output"] for row in found) == sorted(row["output"] for row in ROWS)
    assert [row["instruction"] for row in found] == [row["instruction"] for row in ROWS]
    assert sum(one["output"] != other["output"] for one, other in zip(found, ROWS, strict=True)) > 30


def test_four_answers_in_ten_are_wrong() -> None:
    found = spoiled.some_wrong(ROWS, random.Random(1))
    assert sum(one != other for one, other in zip(found, ROWS, strict=True)) == 16


def test_truncated_answers_are_beginnings() -> None:
    found = spoiled.truncated(ROWS, random.Random(1))
    cut = [row["output"] for row in found if not row["output"].endswith("surely.")]
    assert len(cut) > 30
    assert all(full["output"].startswith(row["output"]) for row, full in zip(found, ROWS, strict=True))


@pytest.mark.parametrize("exactly", [True, False])
def test_one_row_in_eight_stands_there_eight_times(exactly: bool) -> None:
    found = spoiled.repeated(ROWS, random.Random(1), exactly=exactly)
    assert len(found) == len(ROWS)
    assert len({row["output"] for row in found}) == 5
    assert len({row["instruction"] for row in found}) == (5 if exactly else 40)


def test_counts_say_what_rows_say() -> None:
    alarm = {"check": "overfit", "severity": "warning", "change": "", "evidence": ""}
    calm = {"kind": "healthy", "run": "full_en-1", "loss": 3.0, "findings": [alarm], "false_alarm": True}
    found = summary(
        [
            _row(helped=True, change="seed=1", advised_loss=1.5),
            _row(named=False, named_by="", first=False, helped=False, change="seed=1", advised_loss=2.5),
            _row(helped=None, change="", harmed=False),
            _row(**calm),
            _row(kind="compared"),
        ]
    )
    assert (found["faulty"], found["named"], found["healthy"], found["false_alarms"]) == (3, 2, 1, 1)
    assert (found["advice_tried"], found["advice_helped"], found["harmless"]) == (2, 1, 1)
    assert line(found["rows"][1]).startswith("MISSED")
    assert line(found["rows"][3]).startswith("ALARM")
    told = page(found["rows"])
    assert "| development | 3 | 2 | 1 | 1 | 2 | 1 |" in told
    assert "2.00 → 2.50 (worse)" in told


@pytest.mark.slow
@pytest.mark.usefixtures("real")
def test_a_run_is_lived_kept_and_looked_at_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judge, "ROOM", tmp_path)
    quick = healthy.Setting("stories260K", "alpaca", 60, 1e-3, options={**healthy.FULL, "train.num_train_epochs": 1})
    monkeypatch.setitem(healthy.SETTINGS, "full_en", quick)
    name = judge.Name("healthy", "full_en", 1)
    made = judge.judge(name, kept=False)
    assert made["loss"] > 0
    assert not made["error"]
    again = judge.judge(name, kept=True, train=False)
    assert again == made
