"""Following: another process reads what a run writes down, and passes it on to the trackers.

::

    the run        appends to signals.jsonl, and knows nothing of trackers
    the follower   python -m tuneloop.monitoring.following SPEC
                   every two seconds: what is new in the file goes to each tracker that answers; one that does not is
                   asked again later, less and less often. It ends when its standard input does: with the run, or
                   with whatever killed the run.

Only one follower of a run works at a time, so a run that goes on after a kill waits for the old one to end.
"""

from __future__ import annotations

import fcntl
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from tuneloop.errors import TuneloopError
from tuneloop.monitoring.trackers import About, Journal, Tracker
from tuneloop.parts import find
from tuneloop.rows import Signal
from tuneloop.store.seal import replace

SPEC, LOG = "trackers.json", "trackers.log"
EVERY = 2.0
"""Seconds between looks at the file."""
LONGEST_WAIT = 60.0
"""Seconds until a tracker that does not answer is asked again, at most."""
GRACE = 3.0
"""Seconds that the run waits at its end for its follower, which ends by itself after that."""


class Spec(msgspec.Struct, frozen=True):
    """What a follower is told.

    Attributes:
        trackers: The trackers as a recipe spells them.
        about: Which run it is.
    """

    trackers: list[dict[str, dict[str, object]]]
    about: About


@contextmanager
def following(trackers: Sequence[Tracker], about: About, folder: Path) -> Iterator[None]:
    """Let another process pass on what is written to ``signals.jsonl``; nothing happens without trackers.

    Args:
        trackers: Where it goes.
        about: Which run it is.
        folder: The run's work folder.

    Raises:
        StoreError: The folder cannot be written.
    """
    if not trackers:
        yield
        return
    spec = Spec([tracker.spelled() for tracker in trackers], about)
    replace(folder / SPEC, msgspec.json.encode(spec))
    words = [sys.executable, "-m", "tuneloop.monitoring.following", str(folder)]
    with (folder / LOG).open("wb") as log:
        child = subprocess.Popen(  # noqa: S603 - our own module
            words, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=log, start_new_session=True
        )
    try:
        yield
    finally:
        if child.stdin is not None:
            child.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            child.wait(GRACE)


class Tail:
    """The whole lines that were added to a file of signals.

    Args:
        path: The file; it may not be there yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.at = 0

    def new(self) -> list[Signal]:
        """What was added since the last call."""
        try:
            with self.path.open("rb") as file:
                file.seek(self.at)
                data = file.read()
        except FileNotFoundError:
            return []
        whole = data[: data.rfind(b"\n") + 1]
        self.at += len(whole)
        return [msgspec.json.decode(line, type=Signal) for line in whole.splitlines()]


class Sender:
    """One tracker, with the figures that still have to go there.

    Args:
        tracker: The tracker.
        about: Which run it is.

    Attributes:
        left: Figures that still have to go.
        said: Why the last attempt failed; empty if it did not.
    """

    def __init__(self, tracker: Tracker, about: About) -> None:
        self.tracker = tracker
        self.about = about
        self.left: list[Signal] = []
        self.said = ""
        self.journal: Journal | None = None
        self._again = self._wait = 0.0

    def send(self, *, now: bool = False) -> bool:
        """Send what is left, unless the tracker failed a short while ago.

        Args:
            now: Try all the same.

        Returns:
            Whether nothing is left.
        """
        if not now and time.monotonic() < self._again:
            return not self.left
        try:
            if self.journal is None:
                self.journal = self.tracker.open(self.about)
            self.journal.log(self.left)
        except (OSError, TuneloopError) as error:
            self.said = _said(error)
            self.journal = None
            self._wait = min(LONGEST_WAIT, max(EVERY, 2 * self._wait))
            self._again = time.monotonic() + self._wait
            return False
        self.left, self.said, self._wait = [], "", 0.0
        return True


def _said(error: OSError | TuneloopError) -> str:
    """What an error says, on one line, with its fix where it has one."""
    if isinstance(error, TuneloopError):
        return "; ".join(f"{problem.what}: {problem.fix}" for problem in error.problems)
    return (str(error).splitlines() or [type(error).__name__])[0]


def follow(folder: Path) -> None:
    """Pass on what a run writes until standard input ends, and then what is left, once."""
    spec = msgspec.json.decode((folder / SPEC).read_bytes(), type=Spec)
    with alone(spec.about):
        tail = Tail(folder / "signals.jsonl")
        senders = [Sender(tracker, spec.about) for tracker in made(spec.trackers)]
        over = False
        while not over:
            over = bool(select.select([sys.stdin], [], [], EVERY)[0])
            fresh = tail.new()
            for sender in senders:
                sender.left += fresh
                if sender.left:
                    sender.send(now=over)
        for sender in senders:
            if sender.journal is not None:
                sender.journal.close()


def made(spelled: Sequence[dict[str, dict[str, object]]]) -> list[Tracker]:
    """Trackers from the way a recipe spells them."""
    return [find(Tracker, name).model_validate(options) for each in spelled for name, options in each.items()]


@contextmanager
def alone(about: About) -> Iterator[None]:
    """Wait until no other process of this machine sends the same run.

    Args:
        about: Which run it is.
    """
    about.local.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(about.local / f"{about.key[:20]}.lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


if __name__ == "__main__":
    os.nice(10)
    follow(Path(sys.argv[1]))
