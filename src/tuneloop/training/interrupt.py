"""Interruption: SIGTERM and Ctrl-C ask a run to stop after the step it is at; a second one ends it at once."""

from __future__ import annotations

import math
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
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


class Paused(TrainingError):
    """A run came to the step at which it was to pause, saved its state and can go on.

    Args:
        step: The optimizer step after which it paused.
        steps: All optimizer steps of the run.
        folder: Its work folder, with its figures.

    Attributes:
        step: The optimizer step after which it paused.
        steps: All optimizer steps of the run.
        folder: Its work folder, with its figures.
    """

    def __init__(self, step: int, steps: int, folder: Path) -> None:
        super().__init__(
            f"paused after step {step} of {steps}; its state is saved",
            where=str(folder),
            fix="train the same recipe again: it goes on from there",
        )
        self.step, self.steps, self.folder = step, steps, folder


class Asked:
    """Whether a run was asked to stop, and by which signal, or where it is to pause.

    Args:
        pause: Share of the run's steps after which it is to pause; None where it is not.
    """

    def __init__(self, pause: float | None = None) -> None:
        self.signal: int | None = None
        self.pause = pause

    def paused(self, step: int, steps: int) -> str:
        """``pause`` where a run has come to the step at which it is to pause; else empty.

        Example:
            >>> asked = Asked(pause=1 / 9)
            >>> asked.paused(2, 27), asked.paused(3, 27)
            ('', 'pause')
        """
        there = self.pause is not None and self.pause < 1 and step >= math.ceil(round(self.pause * steps, 6))
        return "pause" if there and step > 0 else ""


@contextmanager
def listening(pause: float | None = None) -> Iterator[Asked]:
    """Take SIGTERM and SIGINT as a request to stop while inside; elsewhere than in the main thread, do nothing.

    Args:
        pause: Share of the run's steps after which it is to pause; None where it is not.
    """
    asked = Asked(pause)
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
