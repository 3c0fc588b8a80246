"""What a worker tells the process that started it: how far it is, how it ended, and why it could not go on."""

from __future__ import annotations

import os
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import msgspec

from tuneloop import errors
from tuneloop.errors import Problem, TrainingError, TuneloopError
from tuneloop.monitoring.progress import Progress
from tuneloop.training.interrupt import Paused, Stopped


class Told(msgspec.Struct, omit_defaults=True):
    """One line through the pipe.

    Attributes:
        kind: What it is about: the three calls of a progress, the end of the work, an error, or a fault of tuneloop.
        text: What is done, a note, the error's class, or the traceback of a fault.
        number: Units in all, or done; of a stop, the signal.
        figures: What is shown beside; of a stop, its step and all steps; of an end, nothing.
        problems: What, where and fix of each problem of an error.
        made: Ids of the artifacts, at the end; of a pause, the work folder.
    """

    kind: Literal["start", "advance", "note", "done", "error", "fault"]
    text: str = ""
    number: int | None = None
    figures: dict[str, float] = {}
    problems: list[tuple[str, str, str]] = []
    made: dict[str, str] = {}


class Telling:
    """A progress that goes through a pipe.

    Args:
        pipe: The descriptor to write to.
    """

    def __init__(self, pipe: int) -> None:
        self._pipe = pipe

    def start(self, what: str, total: int | None = None) -> None:
        """Tell that a piece of work begins."""
        self.tell(Told("start", what, total))

    def advance(self, done: int, figures: Mapping[str, float] | None = None) -> None:
        """Tell how far it has come."""
        self.tell(Told("advance", number=done, figures=dict(figures or {})))

    def note(self, text: str) -> None:
        """Tell something a person should know."""
        self.tell(Told("note", text))

    def tell(self, told: Told) -> None:
        """Write one line."""
        data = msgspec.json.encode(told) + b"\n"
        while data:
            data = data[os.write(self._pipe, data) :]


def pass_on(told: Told, progress: Progress) -> None:
    """Do with a progress what the worker did with its own."""
    if told.kind == "start":
        progress.start(told.text, told.number)
    elif told.kind == "advance":
        progress.advance(told.number or 0, told.figures or None)
    elif told.kind == "note":
        progress.note(told.text)


def of_error(error: TuneloopError) -> Told:
    """Write an error down."""
    problems = [(problem.what, problem.where, problem.fix) for problem in error.problems]
    told = Told("error", type(error).__name__, problems=problems)
    if isinstance(error, Stopped):
        told.number = error.number
        told.figures = {"step": error.step, "steps": error.steps}
    if isinstance(error, Paused):
        told.figures = {"step": error.step, "steps": error.steps}
        told.made = {"folder": str(error.folder)}
    return told


def of_fault(error: BaseException) -> Told:
    """Write down what is no user's mistake, with its traceback."""
    return Told("fault", "".join(traceback.format_exception(error)))


def error_of(told: Told) -> TuneloopError:
    """The error that was written down."""
    if told.text == Stopped.__name__ and told.number is not None:
        return Stopped(int(told.figures["step"]), int(told.figures["steps"]), told.number)
    if told.text == Paused.__name__:
        return Paused(int(told.figures["step"]), int(told.figures["steps"]), Path(told.made["folder"]))
    kind = getattr(errors, told.text, TrainingError)
    what, where, fix = told.problems[0]
    error: TuneloopError = kind(what, where=where, fix=fix)
    error.problems = tuple(Problem(what, where, fix) for what, where, fix in told.problems)
    return error
