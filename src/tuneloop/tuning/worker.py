"""A worker: a process that trains one trial after the other, started by a runner and gone with it."""

from __future__ import annotations

import fcntl
import importlib
import os
import signal
import sys
import threading
import time
from queue import SimpleQueue

import msgspec

from tuneloop.tuning.runners import Score
from tuneloop.tuning.trials import Order

GRACE = 15.0
"""Seconds to save the state of a trial once the search is gone."""


def main() -> int:
    """Answer every order that comes through the standard input, one line each.

    The words after the program's name are the score function, ``module:function``, and the lock to hold meanwhile.
    """
    name, lock = sys.argv[1:3]
    held = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
    fcntl.flock(held, fcntl.LOCK_SH)
    pipe = os.dup(1)
    os.dup2(2, 1)  # what libraries print is no answer
    orders: SimpleQueue[Order] = SimpleQueue()
    threading.Thread(target=_listen, args=(orders,), daemon=True).start()
    score = named(name)
    while True:
        data = msgspec.json.encode(score(orders.get())) + b"\n"
        while data:
            data = data[os.write(pipe, data) :]


def named(name: str) -> Score:
    """The score function that a name means.

    Example:
        >>> named("tuneloop.tuning.worker:named").__name__
        'named'
    """
    module, _, function = name.partition(":")
    score: Score = getattr(importlib.import_module(module), function)
    return score


def _listen(orders: SimpleQueue[Order]) -> None:
    """Pass orders on; at the end of the pipe let the training at hand save its state, and leave."""
    rest = b""
    while data := os.read(0, 1 << 16):  # a buffered reader would be locked when the process ends
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            orders.put(msgspec.json.decode(line, type=Order))
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE)
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main())
