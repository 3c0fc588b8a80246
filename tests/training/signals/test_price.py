"""What looking costs: left to itself, a run asks for answers and general texts only where cheap, and says so."""

from __future__ import annotations

import pytest
from tests.training.conftest import Bench, section_of

from tuneloop.monitoring.progress import Silent
from tuneloop.monitoring.section import MonitorSection
from tuneloop.training.signals import price


class Notes(Silent):
    """Keeps what is noted."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def note(self, text: str) -> None:
        self.told.append(text)


def names(bench: Bench, notes: Notes, monitor: MonitorSection, **changes: object) -> set[str]:
    run, _ = bench.train(section_of(max_steps=2, **changes), notes, monitor=monitor)
    return {signal.name for signal in run.signals()}


def test_a_small_model_is_asked_without_a_word(bench: Bench) -> None:
    notes = Notes()
    found = names(bench, notes, MonitorSection())
    assert {"general/loss", "samples/stopped"} <= found
    assert not any("left out" in note for note in notes.told)


def test_where_it_would_cost_too_much_it_is_left_out_with_a_word_how_to_have_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(price, "LITTLE", 0.0)
    notes = Notes()
    found = names(bench, notes, MonitorSection())
    assert not {"general/loss", "samples/stopped"} & found
    told = [note for note in notes.told if "left out" in note]
    assert len(told) == 2 and "monitor.samples=3" in told[0] and "monitor.general_texts=own" in told[1]


def test_what_is_asked_for_is_done_at_any_price(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(price, "LITTLE", 0.0)
    notes = Notes()
    found = names(bench, notes, MonitorSection(samples=2, general_texts="own"))
    assert {"general/loss", "samples/stopped"} <= found and not any("left out" in note for note in notes.told)


def test_a_long_training_affords_it(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(price, "LITTLE", 0.0)
    monkeypatch.setattr(price, "SHARE", 50.0)
    assert {"general/loss", "samples/stopped"} <= names(bench, Notes(), MonitorSection(), eval_steps=2)
