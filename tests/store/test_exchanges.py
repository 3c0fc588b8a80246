"""Served answers and feedback: kept whole, found again, by several threads and processes at once."""

from __future__ import annotations

import multiprocessing
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tuneloop.errors import StoreError
from tuneloop.rows import Exchange, Feedback
from tuneloop.store.exchanges import Exchanges


def exchange(id: str, time: float = 1.0) -> Exchange:
    request = {"messages": [{"role": "user", "content": "你好"}], "parameters": {"seed": 1}}
    return Exchange(id, time, "release-1", "champion", "", request, "good day", 0.5, 7, 3)


def said(id: str, about: str, value: object = 1, time: float = 2.0) -> Feedback:
    return Feedback(id, about, "rating", value, "ann", time)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "exchanges.db"


@pytest.fixture
def exchanges(path: Path) -> Iterator[Exchanges]:
    with Exchanges(path) as exchanges:
        yield exchanges


def test_what_was_added_is_read_back_by_another_opening(path: Path, exchanges: Exchanges) -> None:
    exchanges.add(exchange("a"))
    assert exchanges.judge(said("f", "a"))
    with Exchanges(path) as other:
        assert other.get("a") == exchange("a")
        assert other.feedback("a") == [said("f", "a")]
        assert list(other.judged()) == [(exchange("a"), said("f", "a"))]


def test_feedback_on_an_unknown_answer_is_not_kept(exchanges: Exchanges) -> None:
    assert not exchanges.judge(said("f", "nobody"))
    assert exchanges.feedback("nobody") == []
    assert exchanges.get("nobody") is None


def test_exchanges_come_oldest_first_in_pages(exchanges: Exchanges, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuneloop.store.exchanges.PAGE", 3)
    for number in (5, 1, 4, 2, 3, 0, 6):
        exchanges.add(exchange(str(number), time=number))
    assert [one.id for one in exchanges.all()] == list("0123456")


def test_a_write_counts_only_when_it_is_on_the_disk(exchanges: Exchanges) -> None:
    assert exchanges._db.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
    assert exchanges._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_threads_share_one_opening(exchanges: Exchanges) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda i: exchanges.add(exchange(str(i))), range(100)))
    assert len(list(exchanges.all())) == 100


def _add(path: Path, name: str) -> None:
    with Exchanges(path) as exchanges:
        for i in range(20):
            exchanges.add(exchange(f"{name}{i}"))


def test_processes_share_one_file(path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_add, args=(path, name)) for name in "ab"]
    for worker in workers:
        worker.start()
    _add(path, "c")
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    with Exchanges(path) as exchanges:
        assert len(list(exchanges.all())) == 60


def test_an_id_is_given_once(exchanges: Exchanges) -> None:
    exchanges.add(exchange("a"))
    with pytest.raises(StoreError, match="UNIQUE"):
        exchanges.add(exchange("a"))


def test_a_file_that_is_no_database_is_named_with_a_way_out(path: Path) -> None:
    path.write_bytes(b"this is no database, " * 100)
    with pytest.raises(StoreError) as caught:
        Exchanges(path)
    assert caught.value.problems[0].where == str(path)
    assert isinstance(caught.value.__cause__, sqlite3.DatabaseError)
