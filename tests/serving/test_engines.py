"""The batched engine by itself: many threads, cancelled calls, a full queue, an end when nothing is left."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from tuneloop.errors import ModelError
from tuneloop.models.generate import Request, generate
from tuneloop.parts import find
from tuneloop.serving.engines import Engine


@pytest.fixture(scope="module")
def loaded(store: Any) -> Any:
    from tuneloop.models import open_model
    from tuneloop.store import Model

    return open_model(store.get(Model, store.open("faq/champion").parents["model"]), store)


class Caller:
    """Takes tokens as they come."""

    def __init__(self) -> None:
        self.tokens: list[Any] = []
        self.done = threading.Event()

    def __call__(self, token: Any) -> None:
        self.tokens.append(token)
        if isinstance(token, Exception) or token.finish:
            self.done.set()


def idle() -> bool:
    return not [thread for thread in threading.enumerate() if thread.name == "tuneloop-engine"]


def drawn(seed: int, length: int = 40) -> Request:
    return Request((5, 9, 7), max_new_tokens=length, temperature=1.0, seed=seed)


def test_many_threads_get_what_one_alone_gets(loaded: Any) -> None:
    running = find(Engine, "batched")(batch=4).start(loaded)
    requests = [Request(tuple(range(3, 5 + i)), max_new_tokens=10 + i) for i in range(12)]
    callers = [Caller() for _ in requests]
    threads = [threading.Thread(target=running.submit, args=pair) for pair in zip(requests, callers, strict=True)]
    for thread in threads:
        thread.start()
    assert all(caller.done.wait(60) for caller in callers)
    got = ["".join(token.text for token in caller.tokens) for caller in callers]
    assert got == [answer.text for answer in generate(loaded, requests, batch=1)]


def test_a_waiting_call_that_is_cancelled_never_runs(loaded: Any) -> None:
    running = find(Engine, "batched")(batch=1, queue=2).start(loaded)
    first, second, third = Caller(), Caller(), Caller()
    assert running.submit(drawn(1), first)
    cancel = running.submit(drawn(2), second)
    assert running.submit(drawn(3), third)
    assert running.submit(drawn(4), Caller()) is None  # the queue is full
    assert cancel is not None
    cancel()
    assert first.done.wait(60)
    assert third.done.wait(60)
    assert second.tokens == []


def test_the_thread_ends_with_the_last_answer_and_comes_back_with_the_next(loaded: Any) -> None:
    running = find(Engine, "batched")().start(loaded)
    for seed in (1, 2):
        caller = Caller()
        running.submit(drawn(seed, 3), caller)
        assert caller.done.wait(60)
        until = time.time() + 10
        while time.time() < until and not idle():
            time.sleep(0.01)
        assert idle()


def test_what_cannot_be_answered_is_refused_at_once(loaded: Any) -> None:
    with pytest.raises(ModelError):
        find(Engine, "batched")().start(loaded).submit(Request(()), Caller())
