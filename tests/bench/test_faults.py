"""The harm of ``bench.faults`` in a short form: nothing may be lost, and nothing may differ."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from bench import faults, harm

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")]


@pytest.mark.parametrize("kind", [kind for kind in harm.KINDS if kind != "renaming"])
def test_damage_is_found_before_anything_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setattr(harm, "KINDS", {kind: harm.KINDS[kind]})
    found = harm.corruptions(tmp_path, 25, seed=1)
    assert found["missed"] == []
    assert found["corruptions"] == 25


def test_checkpoints_that_changed_names_are_not_taken_for_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(harm, "KINDS", {"renaming": harm.renaming})
    assert harm.corruptions(tmp_path, 1, seed=1)["missed"] == []


def test_an_undamaged_checkpoint_is_not_called_damaged(tmp_path: Path) -> None:
    _, was = harm.prepared(tmp_path)
    assert harm.resumed(tmp_path) == was[6]


def test_the_bench_sees_damage_that_a_resume_lets_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(checkpoint: Path, draw: random.Random) -> str:
        return "nothing"

    monkeypatch.setattr(harm, "KINDS", {"nothing": nothing})
    assert harm.corruptions(tmp_path, 3, seed=1)["undetected"] == 3


def test_a_failing_disk_leaves_the_checkpoint_before_intact(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(harm, "ERRORS", {"ENOSPC": harm.ERRORS["ENOSPC"]})
    found = harm.disk_faults(tmp_path)
    assert {"open", "file.write", "fsync", "rename", "save_file", "mkdir"} <= set(found["calls"])
    assert [line for line in found["wrong"] if "intact, but" not in line] == []


def test_every_failing_write_is_told_with_a_fix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(harm, "ERRORS", {"EACCES": harm.ERRORS["EACCES"]})
    assert harm.disk_faults(tmp_path)["wrong"] == []


def test_a_kill_at_any_call_of_a_save_loses_nothing(tmp_path: Path) -> None:
    found = harm.call_kills(tmp_path)
    assert found["call_kills"] > 20
    assert found["lost"] == []


def test_random_kills_change_no_bit(tmp_path: Path) -> None:
    found = faults.random_kills(tmp_path, 2, steps=20, seed=1)
    assert (found.kills, found.unresumable, found.not_identical, found.problems) == (2, 0, 0, [])


def test_the_peer_is_killed_in_the_same_way(tmp_path: Path) -> None:
    pytest.importorskip("accelerate")
    found = faults.random_kills(tmp_path, 1, steps=6, seed=1, victim=faults.PEER)
    assert (found.kills, found.runs) == (1, 1)
