"""TPE: trials are drawn where good ones were found before, with Optuna."""

from __future__ import annotations

import math
from collections.abc import Iterator
from importlib.util import find_spec
from random import Random
from typing import TYPE_CHECKING, Any, final

from pydantic import Field

from tuneloop.errors import MissingPackage
from tuneloop.parts import install
from tuneloop.tuning.searches import Known, Proposal, Search
from tuneloop.tuning.space import Values, settled
from tuneloop.tuning.span import Span

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial, Trial

_STEPS = 1_000_000
"""Optuna counts steps of a trial; ours are millionths of a whole training."""


@final
class TPE(Search):
    """A tree-structured Parzen estimator (Optuna): values are drawn more often where good trials lie than where bad do.

    It needs the package optuna: ``pip install 'tuneloop[tune]'``.

    Source:
        Watanabe, Tree-Structured Parzen Estimator: Understanding Its Algorithm Components, 2023.
    """

    n_startup_trials: int = Field(10, ge=1)
    """Trials that are drawn at random before there is something to learn from."""

    def propose(self, known: Known) -> Proposal | None:
        """The next draw, from a study that is made anew of all trials, so that it follows from these alone.

        Raises:
            MissingPackage: Optuna is not installed.
        """
        if find_spec("optuna") is None:
            fix = f"{install('optuna')}, or write search: random"
            raise MissingPackage("the search tpe needs the package 'optuna'", where="tune.search.tpe", fix=fix)
        told = list(_told(known))
        values = known.fresh(lambda random: self._draw(known, told, random))
        return None if values is None else Proposal(len(known.trials), values)

    def rungs(self) -> tuple[float, ...]:
        """Every trial is trained to its end."""
        return (1.0,)

    def _draw(self, known: Known, told: list[FrozenTrial], random: Random) -> Values:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        seed = random.getrandbits(32)
        sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=self.n_startup_trials)
        study = optuna.create_study(sampler=sampler)
        study.add_trials(told)
        trial = study.ask()
        values: Values = {}
        for path in known.space.paths:
            if known.space.counts(path, values):
                values[path] = _suggested(trial, path, known.space.dimensions[path])
        return values


def _suggested(trial: Trial, path: str, dimension: list[Any] | Span) -> Any:
    if isinstance(dimension, Span):
        low, high = dimension.ends
        if dimension.whole:
            return trial.suggest_int(path, int(low), int(high), log=dimension.by_magnitude)
        return settled(dimension, trial.suggest_float(path, low, high, log=dimension.by_magnitude))
    if _ordered(dimension):
        return dimension[trial.suggest_int(path, 0, len(dimension) - 1)]
    return dimension[trial.suggest_categorical(path, range(len(dimension)))]


def _distribution(dimension: list[Any] | Span) -> BaseDistribution:
    from optuna import distributions as of

    if isinstance(dimension, Span):
        low, high = dimension.ends
        if dimension.whole:
            return of.IntDistribution(int(low), int(high), log=dimension.by_magnitude)
        return of.FloatDistribution(low, high, log=dimension.by_magnitude)
    if _ordered(dimension):
        return of.IntDistribution(0, len(dimension) - 1)
    return of.CategoricalDistribution(range(len(dimension)))


def _ordered(choices: list[Any]) -> bool:
    """Whether the values of a list are numbers that rise or fall, so that neighbours are alike."""
    if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in choices):
        return False
    return choices in (sorted(choices), sorted(choices, reverse=True))


def _told(known: Known) -> Iterator[FrozenTrial]:
    """The trials as Optuna has them; one that failed counts as the worst, one that paused by how far it came."""
    from optuna.trial import TrialState, create_trial

    for trial in known.trials:
        dimensions = {path: known.space.dimensions[path] for path in trial.values}
        given: dict[str, Any] = {
            "params": {path: _coded(dimensions[path], value) for path, value in trial.values.items()},
            "distributions": {path: _distribution(dimension) for path, dimension in dimensions.items()},
        }
        if trial.ended and trial.score is not None and math.isfinite(trial.score):
            yield create_trial(state=TrialState.COMPLETE, value=trial.score * known.sign, **given)
        elif trial.running and not trial.scores:
            yield create_trial(state=TrialState.RUNNING, **given)
        else:
            seen = {} if trial.failure else {round(share * _STEPS): known.sign * score for share, score in trial.scores}
            yield create_trial(state=TrialState.PRUNED, intermediate_values=seen, **given)


def _coded(dimension: list[Any] | Span, value: Any) -> Any:
    return value if isinstance(dimension, Span) else dimension.index(value)
