"""Interruption: SIGTERM and Ctrl-C ask a run to stop after the step it is at; a second one ends it at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from tuneloop.errors import TrainingError


class Stopped(TrainingError):
    """A run was asked to stop, saved its state and can go on.

    Args:
        step: The optimizer step after which it stopped.
        steps: All optimizer steps of the run.
        number: The signal that asked for it.

    Attributes:
        step: The optimizer step after which it stopped.
        steps: All optimizer steps of the run.
        number: The signal that asked for it.
        exit_code: What a command should exit with: 128 + signal number (130 for Ctrl-C, 143 for SIGTERM).
    """

    def __init__(self, step: int, steps: int, number: int) -> None:
        super().__init__(
            f"stopped by {signal.Signals(number).name} after step {step} of {steps}; its state is saved",
            where=f"step {step}",
            fix="run the same command again: it goes on from there",
        )
        self.step, self.steps, self.number = step, steps, number
        self.exit_code = 128 + number


class Asked:
    """Whether a run was asked to stop, and by which signal."""

    def __init__(self) -> None:
        self.signal: int | None = None


@contextmanager
def listening() -> Iterator[Asked]:
    """Take SIGTERM and SIGINT as a request to stop while inside; elsewhere than in the main thread, do nothing."""
    asked = Asked()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    before = {number: signal.getsignal(number) or signal.SIG_DFL for number in (signal.SIGTERM, signal.SIGINT)}

    def take(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        asked.signal = number
        for known, handler in before.items():
            signal.signal(known, handler)

    for number in before:
        signal.signal(number, take)
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
