"""The closed loop on made-up landscapes, where the best settings are known."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tuneloop
from tuneloop.improving import journal
from tuneloop.improving.improve import improve
from tuneloop.improving.section import ImproveSection
from tuneloop.improving.story import Outcome, Story
from tuneloop.monitoring.history import History
from tuneloop.monitoring.progress import Silent
from tuneloop.rows import Finding, Signal

ROWS = 200
NAMES = [f"row-{index}" for index in range(ROWS)]
SPREAD = [random.Random(index).gauss(0.0, 0.3) for index in range(ROWS)]

RATE = "train.optimizer.adamw.learning_rate"
DROPOUT = "train.regularization.dropout"


def recipe(changes: Mapping[str, str], rate: float) -> dict[str, object]:
    read = tuneloop.load(
        {"data": {"sources": ["faq.jsonl"]}, "model": {"base": "embedded"}},
        [f"{RATE}={rate}", *(f"{path}={value}" for path, value in changes.items())],
    )
    return read.spelled()


def outcome(resolved: dict[str, object], loss: float, *, findings: list[Finding] | None = None) -> Outcome:
    """A run of 30 steps, three evaluations, lowest at its end; rows differ, their mean is the loss."""
    history = History(recipe=resolved)
    for step in range(1, 31):
        history.add(Signal(step, "train/loss", loss + (30 - step) * 0.01, 0.0))
        history.add(Signal(step, "train/epoch", step / 10, 0.0))
        if step % 10 == 0:
            history.add(Signal(step, "validation/loss", loss + (30 - step) * 0.0001, 0.0))
    centre = sum(SPREAD) / ROWS
    rows = {name: (loss + spread - centre, 10) for name, spread in zip(NAMES, SPREAD, strict=True)}
    return Outcome(history, findings or [], rows, run="run-1", model="model-1")


def valley(best: float, start: float, *, floor: float = 2.0) -> Callable[[Mapping[str, str]], Outcome]:
    """Held-out loss is a parabola over the logarithm of the rate."""

    def attempt(changes: Mapping[str, str]) -> Outcome:
        resolved = recipe(changes, start)
        rate = History(recipe=resolved).option(RATE)
        return outcome(resolved, floor + 0.05 * math.log(rate / best) ** 2)

    return attempt


@given(off=st.floats(-4.0, 4.0))
@settings(max_examples=25, deadline=None)
def test_six_trainings_come_within_two_per_cent_of_the_best_rate(off: float) -> None:
    best = 1e-3
    ending = improve(ImproveSection(moves=["rate"]), valley(best, best * math.exp(off)))
    assert ending.story.leading.loss <= 2.0 * 1.02
    assert len(ending.story.attempts) <= 6


def test_what_the_checks_ask_for_comes_first_and_is_not_asked_for_twice() -> None:
    change = f"{RATE}=0.0003"
    bad = Finding("rate_too_high", "error", 1, 30, "loss rose", "lower it", change=change)

    def attempt(changes: Mapping[str, str]) -> Outcome:
        return outcome(recipe(changes, 0.1), 1.0 if changes.get(RATE) == "0.0003" else 3.0, findings=[bad])

    ending = improve(ImproveSection(runs=3), attempt)
    assert ending.story.attempts[1].changed == (change,)
    assert ending.story.attempts[1].move == "advice"
    assert ending.story.best == 2
    assert len({tuple(each.changes.items()) for each in ending.story.attempts}) == 3


def test_the_target_ends_it() -> None:
    ending = improve(ImproveSection(target=2.5), valley(1e-3, 1e-3))
    assert (ending.reason, len(ending.story.attempts)) == ("target", 1)
    assert "2.5" in ending.told


def test_a_failed_training_is_an_attempt_and_never_leads() -> None:
    def attempt(changes: Mapping[str, str]) -> Outcome:
        resolved = recipe(changes, 1e-3)
        if History(recipe=resolved).option(RATE) > 1e-3:
            return Outcome(History(recipe=resolved), failed="the loss is nan at step 3")
        return outcome(resolved, 2.0)

    ending = improve(ImproveSection(runs=4, moves=["rate"]), attempt)
    failed = [each for each in ending.story.attempts if each.failed]
    assert failed and ending.story.leading.loss == 2.0
    assert all(each.number != ending.story.best for each in failed)


def test_a_first_training_that_failed_gives_way_to_a_lower_rate() -> None:
    def attempt(changes: Mapping[str, str]) -> Outcome:
        resolved = recipe(changes, 1.0)
        rate = History(recipe=resolved).option(RATE)
        if rate > 0.5:
            return Outcome(History(recipe=resolved), failed="the loss is nan at step 3")
        return outcome(resolved, 2.0 + rate)

    ending = improve(ImproveSection(runs=2), attempt)
    assert ending.story.leading.loss < 2.5


def test_where_no_setting_helps_and_half_of_the_rows_cost_rows_are_what_is_missing() -> None:
    memorised = Finding("memorised", "warning", 1, 30, "it knows its rows by heart", "add rows")

    def attempt(changes: Mapping[str, str]) -> Outcome:
        return outcome(recipe(changes, 1e-3), 2.0, findings=[memorised])

    asked: list[Mapping[str, str]] = []

    def half(changes: Mapping[str, str]) -> Outcome:
        asked.append(changes)
        return outcome(recipe(changes, 1e-3), 2.2)

    ending = improve(ImproveSection(runs=6), attempt, half=half)
    assert ending.reason == "rows"
    assert "rows, not settings" in ending.told and "+0.2000" in ending.told
    assert len(asked) == 1 and len(ending.story.attempts) < 6


def test_where_half_of_the_rows_do_as_well_rows_are_not_blamed() -> None:
    def attempt(changes: Mapping[str, str]) -> Outcome:
        return outcome(recipe(changes, 1e-3), 2.0)

    ending = improve(ImproveSection(runs=6), attempt, half=attempt)
    assert ending.reason == "patience"
    assert "half of the rows did as well" in ending.told


def test_rows_are_left_alone_where_they_are_fixed() -> None:
    dirty = Finding("duplicated", "warning", 0, 0, "rows are repeated", "drop", change="data.transforms=[duplicates]")

    def attempt(changes: Mapping[str, str]) -> Outcome:
        return outcome(recipe(changes, 1e-3), 2.0, findings=[dirty])

    ending = improve(ImproveSection(runs=5), attempt, data=False, sources=("more.jsonl",))
    assert not any(path.startswith("data") for each in ending.story.attempts for path in each.changes)
    changed = improve(ImproveSection(runs=2), attempt).story.attempts[1].changes
    assert changed == {"data.transforms": "[duplicates]"}


def test_offered_sources_are_added_one_at_a_time() -> None:
    def attempt(changes: Mapping[str, str]) -> Outcome:
        resolved = recipe(changes, 1e-3)
        return outcome(resolved, 3.0 - len(resolved["data"]["sources"]))  # type: ignore[index]

    ending = improve(ImproveSection(moves=["sources"]), attempt, sources=("a.jsonl", "b.jsonl"))
    paths = [source["path"] for source in ending.story.leading.history.option("data.sources")]
    assert paths == ["faq.jsonl", "a.jsonl", "b.jsonl"]
    assert ending.reason == "nothing left"


def test_a_difference_within_the_noise_counts_as_no_gain() -> None:
    noise = random.Random(1)

    def attempt(changes: Mapping[str, str]) -> Outcome:
        made = outcome(recipe(changes, 1e-3), 2.0)
        rows = {name: (loss + noise.gauss(0, 1.0), terms) for name, (loss, terms) in made.rows.items()}
        return Outcome(made.history, rows=rows, run="run", model="model")

    ending = improve(ImproveSection(runs=10, patience=3), attempt)
    assert ending.reason == "patience" and len(ending.story.attempts) <= 7


def test_the_journal_tells_every_attempt(tmp_path: Path) -> None:
    told: list[tuple[Story, str]] = []

    def keep(story: Story, ended: str) -> None:
        told.append((story, ended))
        journal.write(tmp_path, story, ended)

    ending = improve(ImproveSection(runs=4, moves=["rate"]), valley(1e-3, 2e-2), journal=keep)
    body = json.loads((tmp_path / "journal.json").read_bytes())
    assert [each["number"] for each in body["attempts"]] == [1, 2, 3, 4]
    assert body["best"] == ending.story.best and body["ended"] == ending.told
    text = (tmp_path / "journal.md").read_text()
    for each in ending.story.attempts:
        assert all(change in text for change in each.changed) and each.why in text
    assert [len(story.attempts) for story, _ in told] == [1, 2, 3, 4, 4]


@pytest.mark.parametrize("path", ["train.optimizer.adamw.learning_rate", "train.adapter.lora.r"])
def test_a_change_of_a_whole_part_takes_the_place_of_changes_below_it(path: str) -> None:
    first = outcome(recipe({}, 1e-3), 2.0)
    ending = improve(ImproveSection(runs=1), lambda _: first)
    from dataclasses import replace

    from tuneloop.improving.story import Proposal

    above = path.rsplit(".", 2)[0]
    leading = replace(ending.story.leading, changes={path: "1"})
    story = replace(ending.story, attempts=(leading,))
    assert story.changed(Proposal((f"{above}=null",), "")) == {above: "null"}


def test_a_gain_within_chance_is_called_so() -> None:
    notes: list[str] = []

    class Heard(Silent):
        def note(self, text: str) -> None:
            notes.append(text)

    def attempt(changes: Mapping[str, str]) -> Outcome:
        draw = random.Random(len(changes))
        made = outcome(recipe(changes, 1e-3), 2.0)
        rows = {name: (loss + draw.gauss(0.0, 1.0), terms) for name, (loss, terms) in made.rows.items()}
        return replace(made, rows=rows)

    improve(ImproveSection(moves=["rate"], runs=2), attempt, progress=Heard())
    assert any("better, maybe by chance, " in note for note in notes)
