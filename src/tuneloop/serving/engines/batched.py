"""Continuous batching on the model as PyTorch runs it: every step extends all running answers by a token."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, final

from pydantic import Field

from tuneloop.models.generate import Answering, check
from tuneloop.serving.engines import Engine

if TYPE_CHECKING:
    from tuneloop.models import Loaded
    from tuneloop.models.generate import Request, Token
    from tuneloop.serving.engines import Running

log = logging.getLogger(__name__)


@final
class Batched(Engine):
    """Runs requests side by side in one batch; further ones wait, and beyond that they are refused."""

    batch: int = Field(8, ge=1)
    """Requests that run together."""
    queue: int = Field(64, ge=0)
    """Requests that may wait for a place; the next one is told to come again."""

    def start(self, loaded: Loaded) -> Running:
        """Set a model to work, in a thread of its own that lives while there are requests."""
        return _Worker(loaded, self.batch, self.batch + self.queue)


class _Call:
    """One request on its way: from the caller's thread to the worker's and back."""

    def __init__(self, request: Request, deliver: Callable[[Token | Exception], None]) -> None:
        self.request = request
        self.deliver = deliver
        self.cancelled = False


class _Worker:
    def __init__(self, loaded: Loaded, batch: int, most: int) -> None:
        self._loaded = loaded
        self._batch = batch
        self._answering = Answering(loaded, batch)  # here, so that an unfit model is refused before it is served
        self._most = most
        self._lock = threading.Lock()
        self._calls: set[_Call] = set()  # waiting and running
        self._new: list[_Call] = []  # not yet seen by the thread
        self._working = False

    def submit(self, request: Request, deliver: Callable[[Token | Exception], None]) -> Callable[[], None] | None:
        check(self._loaded, request)
        call = _Call(request, deliver)
        with self._lock:
            if len(self._calls) >= self._most:
                return None
            self._calls.add(call)
            self._new.append(call)
            if not self._working:
                self._working = True
                threading.Thread(target=self._work, name="tuneloop-engine", daemon=True).start()

        def cancel() -> None:
            call.cancelled = True

        return cancel

    def _work(self) -> None:
        """Answer until nothing is left; the last look at the queue and the end are one step under the lock."""
        answering = self._answering
        running: dict[int, _Call] = {}
        while True:
            with self._lock:
                for call in self._new:
                    running[answering.add(call.request)] = call
                self._new = []
                for ticket in [ticket for ticket, call in running.items() if call.cancelled]:
                    answering.cancel(ticket)
                    self._calls.discard(running.pop(ticket))
                if not running:
                    self._working = False
                    return
            try:
                tokens = answering.step()
            except Exception as error:  # handed to every caller; without it they would wait for ever
                log.error("generation failed: %s", error, exc_info=error)
                self._answering = answering = Answering(self._loaded, self._batch)
                for call in running.values():
                    self._forget(call)
                    call.deliver(error)
                running.clear()
                continue
            for ticket, token in tokens:
                call = running[ticket]
                if token.finish:
                    self._forget(running.pop(ticket))
                call.deliver(token)

    def _forget(self, call: _Call) -> None:
        with self._lock:
            self._calls.discard(call)
