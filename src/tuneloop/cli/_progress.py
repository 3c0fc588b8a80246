"""How far long work has come: a live line on a terminal, a few plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from tuneloop.cli._screen import console, duration, figures, terminal

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

    from tuneloop.monitoring.progress import Progress

_QUIET_SECONDS = 10.0
_NOTHING_SECONDS = 0.05
_ROOM = 90
"""Columns of figures in a log; a run's other figures are in its signals."""


@contextmanager
def working() -> Iterator[Progress]:
    """Show how far long work has come: a live line on a terminal, few plain lines elsewhere (on stderr)."""
    screen = _Live() if sys.stderr.isatty() else _Lines()
    try:
        yield screen
    finally:
        screen.close()


class _Work:
    """The piece of work at hand, and its last line once it is over."""

    def __init__(self) -> None:
        self.what = ""
        self.total: int | None = None
        self.done = 0
        self.figures: dict[str, float] = {}
        self.began = self.moved = 0.0

    def begin(self, what: str, total: int | None) -> None:
        self.what, self.total, self.done, self.figures = what, total, 0, {}
        self.began, self.moved = time.monotonic(), 0.0

    def come(self, done: int, figures_: Mapping[str, float] | None) -> None:
        self.done, self.moved = done, time.monotonic()
        self.figures |= figures_ or {}

    def end(self, width: int = 0) -> str:
        """The line that stays when the work is over, cut to a width if one is given; empty if it took no time.

        Work that tells how far it is was over when it last did so: what comes next may begin much later.
        """
        seconds = (self.moved or time.monotonic()) - self.began
        if not self.what or seconds < _NOTHING_SECONDS:
            self.what = ""
            return ""
        count = f"{self.done:,}" if self.done else ""
        line = f"{self.what:<38}  {count:>8}  {duration(seconds):>11}"
        self.what = ""
        room = max(1, width - len(line) - 3) if width else _ROOM
        return f"{line}  {figures(self.figures, room)}".rstrip()


class _Lines(_Work):
    """Plain lines: one when a piece of work ends, and one now and then while it goes on."""

    def __init__(self) -> None:
        super().__init__()
        self._told = 0.0

    def start(self, what: str, total: int | None = None) -> None:
        self.close()
        self.begin(what, total)
        self._told = time.monotonic()

    def advance(self, done: int, figures_: Mapping[str, float] | None = None) -> None:
        self.come(done, figures_)
        if time.monotonic() - self._told >= _QUIET_SECONDS:
            self._told = time.monotonic()
            of = f"/{self.total:,}" if self.total else ""
            click.echo(f"{self.what}  {done:,}{of}  {figures(self.figures, _ROOM)}".rstrip(), err=True)

    def note(self, text: str) -> None:
        click.echo(text, err=True)

    def close(self) -> None:
        line = self.end()
        if line:
            click.echo(line, err=True)


class _Live(_Work):
    """A bar with the latest figures that becomes one plain line when the work is over."""

    def __init__(self) -> None:
        super().__init__()
        self._bar: Bar | None = None

    def start(self, what: str, total: int | None = None) -> None:
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            SpinnerColumn,
            TextColumn,
            TimeRemainingColumn,
        )

        self.close()
        self.begin(what, total)
        columns = [SpinnerColumn(), TextColumn("{task.description}")]
        if total:
            columns += [BarColumn(bar_width=16), MofNCompleteColumn(), TimeRemainingColumn(compact=True)]
        columns.append(TextColumn("{task.fields[figures]}"))
        self._bar = Progress(*columns, console=console(err=True), transient=True)
        self._bar.add_task(what, total=total, figures="")
        self._bar.start()

    def advance(self, done: int, figures_: Mapping[str, float] | None = None) -> None:
        self.come(done, figures_)
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=done, figures=self._shown())

    def _shown(self) -> str:
        """The figures that fit beside the bar."""
        taken = len(self.what) + (48 if self.total else 6)
        return figures(self.figures, max(1, terminal() - taken))

    def note(self, text: str) -> None:
        """Print it above the bar."""
        target = self._bar.console if self._bar is not None else console(err=True)
        target.print(text, markup=False)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
        line = self.end(terminal())
        if line:
            click.echo(line, err=True)
