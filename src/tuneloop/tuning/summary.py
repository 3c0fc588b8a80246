"""The summary of a search: its trials in order, the best one as changes of the recipe, and what mattered."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from tuneloop.tuning.importance import importance
from tuneloop.tuning.section import TuneSection
from tuneloop.tuning.space import Space, Values
from tuneloop.tuning.trials import Trial

_PLAIN = re.compile(r"(?!(?:null|true|false|yes|no|on|off|nan|inf)$)[A-Za-z_][\w/-]*", re.IGNORECASE)


def ranked(trials: Sequence[Trial], sign: int) -> list[Trial]:
    """The trials that came to their end, the best first."""
    done = [(trial.score * sign, trial.number, trial) for trial in trials if trial.ended and trial.score is not None]
    return [trial for _, _, trial in sorted(done, key=lambda entry: entry[:2])]


def expected(rungs: Sequence[float], trials: int) -> float:
    """Whole trainings that a search comes to, where on each rung as many go on as it is shorter than the next.

    Example:
        >>> round(expected((1 / 9, 1 / 3, 1), 27), 3)
        7.0
    """
    total, below = 0.0, 0.0
    for share in rungs:
        total += trials * rungs[0] / share * (share - below)
        below = share
    return total


def changes(values: Values) -> list[str]:
    """The values of a trial as ``--set`` takes them.

    Example:
        >>> changes({"train.optimizer": "sgd", "train.batch.size": 8, "train.stop": None})
        ['train.optimizer=sgd', 'train.batch.size=8', 'train.stop=null']
    """
    return [f"{path}={_written(value)}" for path, value in values.items()]


def described(values: Values) -> str:
    """The values of a trial on one line, each by the last word of its path."""
    return " ".join(f"{path.rpartition('.')[2]}={_written(value)}" for path, value in values.items())


def summarise(section: TuneSection, trials: Sequence[Trial]) -> dict[str, Any]:
    """What a search came to, for programs.

    Args:
        section: The ``tune`` section.
        trials: Its trials, one of them at its end.
    """
    order = ranked(trials, section.sign)
    best = order[0]
    return {
        "metric": section.metric,
        "direction": "minimize" if section.sign > 0 else "maximize",
        "search": section.search.spelled(),
        "best": {
            "trial": best.number,
            "score": best.score,
            "values": best.values,
            "changes": changes(best.values),
            "run": best.run,
            "model": best.model,
        },
        "importance": importance(Space(section.space), trials),
        "cost": {
            "epochs": sum(trial.epochs for trial in trials),
            "steps": sum(trial.steps for trial in trials),
            "seconds": sum(trial.seconds for trial in trials),
        },
        "trials": [trial.plain() for trial in [*order, *(trial for trial in trials if trial not in order)]],
    }


def _written(value: Any) -> str:
    if isinstance(value, str) and _PLAIN.fullmatch(value):
        return value
    return json.dumps(value, ensure_ascii=False)
