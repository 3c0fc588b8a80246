"""Refs move, are logged, survive crashes and go back."""

from __future__ import annotations

import itertools
import multiprocessing
from pathlib import Path

import pytest

from tuneloop.errors import StoreError
from tuneloop.store import Refs


def test_every_move_is_logged_with_who_when_and_why(tmp_path: Path) -> None:
    refs = Refs(tmp_path / "refs.jsonl")
    refs.move("faq/champion", "model-1", why="first")
    refs.move("faq/champion", "model-2", why="better")
    moves = list(refs.log("faq/champion"))
    assert [(m.id, m.previous, m.why) for m in moves] == [("model-1", "", "first"), ("model-2", "model-1", "better")]
    assert all(m.who and m.when > 0 for m in moves)
    assert refs.all() == {"faq/champion": "model-2"}


def test_rollback_is_one_more_move_and_repeated_goes_further_back(tmp_path: Path) -> None:
    refs = Refs(tmp_path / "refs.jsonl")
    for i in (1, 2, 3):
        refs.move("x", f"model-{i}", why="test")
    assert refs.rollback("x").id == "model-2"
    assert refs.rollback("x", why="still bad").id == "model-1"
    with pytest.raises(StoreError, match="no earlier value"):
        refs.rollback("x")
    assert len(list(refs.log("x"))) == 5
    refs.move("x", "model-4", why="new")
    assert refs.rollback("x").id == "model-1"


def test_a_torn_last_line_is_passed_over_and_cut_off_by_the_next_move(tmp_path: Path) -> None:
    refs = Refs(tmp_path / "refs.jsonl")
    refs.move("x", "model-1", why="test")
    with refs.path.open("ab") as file:
        file.write(b'{"name":"x","id":"model-2","prev')
    assert refs.all() == {"x": "model-1"}
    refs.move("x", "model-3", why="test")
    assert refs.all() == {"x": "model-3"}
    assert len(list(refs.log())) == 2


@pytest.mark.parametrize("name", ["", "../x", "a//b", "/a", "a b", ".hidden", "a/"])
def test_names_that_are_no_names_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(StoreError):
        Refs(tmp_path / "refs.jsonl").move(name, "model-1", why="test")


def _moves(path: Path, who: int) -> None:
    refs = Refs(path)
    for i in range(20):
        refs.move("x", f"model-{who}-{i}", why="race")


def test_moves_of_several_processes_never_mix(tmp_path: Path) -> None:
    path = tmp_path / "refs.jsonl"
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_moves, args=(path, who)) for who in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    moves = list(Refs(path).log())
    assert len(moves) == 60
    assert all(later.previous == earlier.id for earlier, later in itertools.pairwise(moves))
