"""The story of an improvement: what was tried, why, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from tuneloop.improving.difference import Difference, Losses
from tuneloop.monitoring.history import History
from tuneloop.rows import Finding


@dataclass(frozen=True)
class Proposal:
    """One change that a move asks for.

    Attributes:
        changes: What is changed of the best recipe so far, as ``--set`` takes it.
        why: The reason, with its figures, in a sentence.
    """

    changes: tuple[str, ...]
    why: str


@dataclass(frozen=True)
class Outcome:
    """What one training showed.

    Attributes:
        history: Its curves, with the resolved recipe; empty where it failed before a step.
        findings: What the checks found in it.
        rows: Losses of the held-out rows under the model that was kept.
        run: Id of the run; empty where it failed.
        model: Id of the model that was kept.
        failed: Why it failed; empty where it did not.
        seconds: How long it took.
    """

    history: History
    findings: Sequence[Finding] = ()
    rows: Losses = field(default_factory=dict)
    run: str = ""
    model: str = ""
    failed: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Attempt(Outcome):
    """One training of the story, and why it was made.

    Attributes:
        number: Counted from 1.
        move: Which move asked for it; ``as written`` for the first.
        why: The reason for its change.
        changed: What it changes of the best recipe before it.
        changes: All changes of the recipe as it was written, by path.
        against: Number of the attempt that it was compared with.
        difference: How it compares; None where there is nothing to compare.
    """

    number: int
    move: str
    why: str
    changed: tuple[str, ...]
    changes: Mapping[str, str]
    against: int = 0
    difference: Difference | None = None

    @property
    def best(self) -> tuple[int, float] | None:
        """Step and loss of the lowest held-out loss after training began; None where there is none."""
        after = [(loss, step) for step, loss in self.history.series("validation/loss") if step > 0]
        return (min(after)[1], min(after)[0]) if after else None

    @property
    def loss(self) -> float:
        """The lowest held-out loss; infinite where it failed."""
        return self.best[1] if self.best and not self.failed else float("inf")

    @property
    def steps(self) -> int:
        """Optimizer steps that were made."""
        series = self.history.series("train/loss")
        return series[-1][0] if series else 0

    @property
    def rate(self) -> float | None:
        """The learning rate that its recipe names."""
        return self.option(f"train.optimizer.{self.history.optimizer}.learning_rate")

    def option(self, path: str) -> float | None:
        """A number of its resolved recipe; None where there is none."""
        value = self.history.option(path)
        return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None

    def saw(self, *checks: str) -> Finding | None:
        """The first finding of one of these checks that is a warning or an error."""
        bad = (found for found in self.findings if found.severity in ("warning", "error"))
        return next((found for found in bad if found.check in checks), None)


@dataclass(frozen=True)
class Story:
    """Everything tried so far.

    Attributes:
        attempts: In their order.
        best: Number of the attempt with the lowest held-out loss on the rows that all are compared on.
        sources: More sources of rows that may be added.
        data: Whether the rows may be changed (not where only a run is at hand, and no sources).
    """

    attempts: tuple[Attempt, ...] = ()
    best: int = 0
    sources: tuple[str, ...] = ()
    data: bool = True

    @property
    def leading(self) -> Attempt:
        """The best attempt."""
        return self.attempts[self.best - 1]

    def after(self, attempt: Attempt, *, leads: bool) -> Story:
        """The story with one more attempt."""
        return replace(self, attempts=(*self.attempts, attempt), best=attempt.number if leads else self.best)

    def changed(self, proposal: Proposal) -> dict[str, str]:
        """All changes of the recipe as it was written, if a proposal is followed."""
        made = dict(self.leading.changes)
        for change in proposal.changes:
            path, _, value = change.partition("=")
            made = {known: said for known, said in made.items() if not below(known, path)} | {path: value}
        return made

    def untried(self, proposal: Proposal) -> bool:
        """Whether no attempt was made with just these changes, and the rows may be changed where it changes rows."""
        made = self.changed(proposal)
        if not self.data and any(below(path, "data") for path in made):
            return False
        return all(dict(each.changes) != made for each in self.attempts)


def below(path: str, other: str) -> bool:
    """Whether a path of the recipe is another or lies below it.

    Example:
        >>> below("train.stop.patience", "train.stop"), below("train.stopping", "train.stop")
        (True, False)
    """
    return path == other or path.startswith(other + ".")
