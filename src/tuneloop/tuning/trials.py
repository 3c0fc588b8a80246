"""Trials: what was tried and what came of it, kept as a journal of one line an event.

The journal is the one truth of a search: the trials, the next proposal, the table and the pictures follow from it. An
event is on the disk before what it says is acted upon, so a search that was killed goes on as if it had not been.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from tuneloop.tuning.space import Values


class Order(msgspec.Struct, frozen=True):
    """What a worker is asked for.

    Attributes:
        trial: Number of the trial, from 0.
        values: The value of each path that is varied.
        share: Share of the whole training after which it pauses; 1 trains to the end.
        context: What the score function needs besides, as plain values.
    """

    trial: int
    values: Values
    share: float
    context: dict[str, Any]


class Outcome(msgspec.Struct, frozen=True):
    """What came of an order.

    Attributes:
        trial: Number of the trial.
        share: The share that was asked for.
        score: The figure that is compared; None of a trial that failed.
        ended: Whether its training is over (it came to its end, or stopped early).
        failure: Why it failed; empty if it did not.
        fatal: The class of an error that would meet every trial, and its what, where and fix; empty if there is none.
        steps: Optimizer steps it has made in all.
        epochs: Passes over the rows it has made in all.
        seconds: Time that this order took.
        work: Name of its work folder, where it paused.
        run: Id of its run, where it ended.
        model: Id of its model, where it ended.
    """

    trial: int
    share: float
    score: float | None = None
    ended: bool = False
    failure: str = ""
    fatal: tuple[str, ...] = ()
    steps: int = 0
    epochs: float = 0.0
    seconds: float = 0.0
    work: str = ""
    run: str = ""
    model: str = ""


class Event(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of the journal.

    Attributes:
        event: ``proposed`` (it is about to be trained), ``scored`` or ``failed``.
        trial: Number of the trial.
        share: Share of the whole training it goes to.
        when: Seconds since the epoch.
        values: Of a proposal, the value of each path.
        score: Of a score, the figure.
        outcome: What else is known of how it went.
    """

    event: Literal["proposed", "scored", "failed"]
    trial: int
    share: float
    when: float
    values: Values = {}
    score: float | None = None
    outcome: dict[str, Any] = {}


@dataclass
class Trial:
    """One set of values and how far it came.

    Attributes:
        number: From 0, in the order of proposals.
        values: The value of each path.
        share: The share that it was last asked to go to.
        scores: (share, score) of each time it was measured, in order.
        running: Whether it is being trained, or was when the search was killed.
        ended: Whether its training is over.
        failure: Why it failed; empty if it did not.
        steps: Optimizer steps made.
        epochs: Passes over the rows.
        seconds: Time it took in all.
        work: Name of its work folder, where it paused.
        run: Id of its run.
        model: Id of its model.
    """

    number: int
    values: Values
    share: float = 0.0
    scores: list[tuple[float, float]] = field(default_factory=list)
    running: bool = False
    ended: bool = False
    failure: str = ""
    steps: int = 0
    epochs: float = 0.0
    seconds: float = 0.0
    work: str = ""
    run: str = ""
    model: str = ""

    @property
    def score(self) -> float | None:
        """The newest score; None where there is none."""
        return self.scores[-1][1] if self.scores else None

    def at(self, share: float) -> float | None:
        """The score at a share of the training; one that is over keeps its last, one that failed has an infinite one.

        Returns:
            None where it did not come so far.
        """
        for reached, score in self.scores:
            if math.isclose(reached, share):
                return score
        if self.failure and self.share >= share - 1e-9:
            return math.inf
        return self.score if self.ended else None

    def plain(self) -> dict[str, Any]:
        """The trial for programs."""
        state = "failed" if self.failure else "running" if self.running else "done" if self.ended else "paused"
        return {"trial": self.number, "state": state, "score": self.score, **vars(self), "scores": self.scores}


def replay(events: Iterable[Event]) -> list[Trial]:
    """The trials as the events of a journal made them.

    Example:
        >>> trials = replay([Event("proposed", 0, 1.0, 0.0, {"seed": 7}), Event("scored", 0, 1.0, 9.0, score=0.5)])
        >>> trials[0].values, trials[0].score, trials[0].running
        ({'seed': 7}, 0.5, False)
    """
    trials: dict[int, Trial] = {}
    for event in events:
        if event.event == "proposed":
            trial = trials.setdefault(event.trial, Trial(event.trial, event.values))
            trial.share, trial.running = event.share, True
            continue
        trial = trials[event.trial]
        trial.running = False
        trial.seconds += event.outcome.get("seconds", 0.0)
        for name in ("ended", "failure", "steps", "epochs", "work", "run", "model"):
            setattr(trial, name, event.outcome.get(name, getattr(trial, name)))
        if event.score is not None:
            trial.scores.append((event.share, event.score))
    return [trials[number] for number in sorted(trials)]


def proposed(trial: int, values: Values, share: float) -> Event:
    """The event of a proposal."""
    return Event("proposed", trial, share, time.time(), values)


def told(outcome: Outcome) -> Event:
    """The event of an outcome."""
    rest = {
        name: value
        for name in ("ended", "failure", "steps", "epochs", "seconds", "work", "run", "model")
        if (value := getattr(outcome, name))
    }
    kind: Literal["scored", "failed"] = "failed" if outcome.failure else "scored"
    return Event(kind, outcome.trial, outcome.share, time.time(), score=outcome.score, outcome=rest)
