"""ASHA: many trials begin, and only the best of them go on."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal, final

from pydantic import Field

from tuneloop.parts import find
from tuneloop.tuning.searches import Known, Proposal, Search
from tuneloop.tuning.trials import Trial


@final
class ASHA(Search):
    """Successive halving: all trials train for a small share, the best of them go on to the next rung, up to the end.

    A trial that goes on does so from its checkpoint, on the schedule of the whole training, as if it had never paused.

    Source:
        Li et al., A System for Massively Parallel Hyperparameter Tuning, 2020, algorithm 2; if not asynchronous,
        Jamieson and Talwalkar, Non-stochastic Best Arm Identification and Hyperparameter Optimization, 2016. Where
        nothing is left to do and no trial came to its end, the best one goes on, so that there is a trained model.
    """

    sampler: Literal["random", "grid", "tpe"] = "random"
    """The search that proposes new trials."""
    reduction_factor: int = Field(3, ge=2)
    """One of so many goes on to the next rung, where it has trained so many times as long."""
    halvings: int = Field(2, ge=1, le=8)
    """Rungs before the end: with 2 and a factor of 3, trials are compared after 1/9 and 1/3 of the training."""
    asynchronous: bool = True
    """Whether a trial goes on as soon as it is among the best of those that came as far. ``false`` waits until all
    have come there: no trial goes on by mistake, and workers may stand idle."""

    def propose(self, known: Known) -> Proposal | None:
        """A trial that has earned to go on, or else a new one."""
        going = self._going_on(known) if self.asynchronous else None
        if going is None:
            new = find(Search, self.sampler)().propose(known)
            if new is not None:
                return Proposal(new.trial, new.values, self.rungs()[0])
            going = self._going_on(known)
        return going or self._last(known)

    def rungs(self) -> tuple[float, ...]:
        """The shares, each ``reduction_factor`` times the one before."""
        return tuple(float(self.reduction_factor) ** -left for left in range(self.halvings, -1, -1))

    def _going_on(self, known: Known) -> Proposal | None:
        """A trial that is among the best of its rung; the highest rung first, or the lowest if all must be there."""
        rungs = self.rungs()
        steps = list(pairwise(rungs))
        for rung, higher in reversed(steps) if self.asynchronous else steps:
            if not self.asynchronous and any(trial.running and trial.share <= rung for trial in known.trials):
                return None
            there = _ranked(known, rung)
            for trial in there[: len(there) // self.reduction_factor]:
                if _waits(trial) and trial.at(higher) is None:
                    return Proposal(trial.number, trial.values, higher)
        return None

    def _last(self, known: Known) -> Proposal | None:
        """The best trial of the highest rung that any came to, where otherwise none would be trained to its end."""
        if any(trial.running or trial.ended for trial in known.trials):
            return None
        rungs = self.rungs()
        for rung, higher in reversed(list(pairwise(rungs))):
            there = [trial for trial in _ranked(known, rung) if _waits(trial)]
            if there:
                return Proposal(there[0].number, there[0].values, higher)
        return None


def _ranked(known: Known, rung: float) -> list[Trial]:
    """The trials that came to a rung, the best first; one that failed came last."""
    losses = [(loss, trial.number, trial) for trial in known.trials if (loss := known.loss(trial, rung)) is not None]
    return [trial for _, _, trial in sorted(losses, key=lambda entry: entry[:2])]


def _waits(trial: Trial) -> bool:
    """Whether a trial paused and can go on."""
    return not (trial.running or trial.ended or trial.failure)
