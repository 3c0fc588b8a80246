"""Whether a finished report passes its gates, by the intervals of its figures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from tuneloop.errors import DataError
from tuneloop.evaluation.compared import LOWER_IS_BETTER
from tuneloop.evaluation.gates.section import Gate
from tuneloop.evaluation.interval import Mean, bootstrap, mean, quantile, wilson
from tuneloop.evaluation.paired import compare
from tuneloop.evaluation.shown import Shown, rows_of
from tuneloop.store import Report
from tuneloop.store.kinds import read_json

Outcome = Literal["passed", "failed", "unsure", "open"]


class Passed(msgspec.Struct, frozen=True):
    """What became of one gate.

    Attributes:
        gate: What it asks, in words.
        metric: The figure it looks at.
        outcome: ``passed``; ``failed``, where the figure itself is on the wrong side; ``unsure``, where it is on the
            right side and its interval is not; ``open``, where there is no model to compare with.
        value: The figure, or the difference of the two models.
        low: Lower end of its interval.
        high: Upper end of its interval.
        limit: The figure, or the difference, that decides.
        n: Rows that it was measured on.
    """

    gate: str
    metric: str
    outcome: Outcome
    value: float | None
    low: float | None
    high: float | None
    limit: float
    n: int

    @property
    def lets_through(self) -> bool:
        """Whether nothing stands in the way: a gate that is not sure is closed."""
        return self.outcome in ("passed", "open")


class _Figures:
    """The figures of a report, at any confidence."""

    def __init__(self, report: Report, seed: int) -> None:
        self.told = read_json(report.folder / "report.json")
        self._rows = rows_of(report)
        self._seed = seed

    def shown(self, side: str) -> Shown:
        """What one model showed on single rows."""
        return Shown.of(*self._rows, side)

    def one(self, metric: str, confidence: float) -> Mean:
        """A figure of the tuned model with its interval.

        Raises:
            DataError: The report does not have it.
        """
        shown = self.shown("tuned")
        if metric in ("loss", "perplexity") and shown.losses:
            sums, terms = zip(*shown.losses.values(), strict=True)
            found = bootstrap(sums, weights=terms, seed=self._seed, confidence=confidence)
            if metric == "loss":
                return found
            return Mean(math.exp(found.mean), math.exp(found.low), math.exp(found.high), found.n)
        if metric in self.told["metrics"]:
            return mean([scores[metric] for scores in shown.scores.values()], seed=self._seed, confidence=confidence)
        told = self._elsewhere(metric, confidence)
        if told is None:
            known = [*self.told["scores"]["tuned"], *(name for name in ("regression", "judge") if self.told.get(name))]
            known += [f"{each['task']}/{each['metric']}" for each in self._benchmarks()]
            raise DataError(
                f"the report has no figure {metric!r}", where="evaluate.gates", fix=f"name one of {', '.join(known)}"
            )
        return told

    def _elsewhere(self, metric: str, confidence: float) -> Mean | None:
        """A figure that is no mean over answered rows."""
        if metric == "regression" and self.told.get("regression"):
            found = self.told["regression"]
            return wilson(found["rows"] - len(found["wrong"]), found["rows"], confidence)
        if metric == "judge" and "win_rate" in self.told.get("judge", {}):
            return _as_asked(self.told["judge"]["win_rate"], confidence)
        for each in self._benchmarks():
            if metric == f"{each['task']}/{each['metric']}":
                reach = quantile(confidence) * (each["error"] or 0.0)
                return Mean(each["value"], each["value"] - reach, each["value"] + reach, each["n"])
        known = self.told["scores"]["tuned"].get(metric)
        return _as_asked(known, confidence) if known else None

    def _benchmarks(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.told.get("benchmarks", {}).get("tuned", [])
        return found


def _as_asked(told: Mapping[str, Any], confidence: float) -> Mean:
    """A figure whose 95 % interval is known, with another confidence: its interval is stretched as a normal one is."""
    middle, low, high = (float(told.get(name, told["mean"])) for name in ("mean", "low", "high"))
    scale = quantile(confidence) / quantile(0.95)
    return Mean(middle, middle - scale * (middle - low), middle + scale * (high - middle), int(told["n"]))


def passed(gates: Sequence[Gate], report: Report, *, seed: int) -> list[Passed]:
    """Hold a report against gates.

    Args:
        gates: What must hold.
        report: The report.
        seed: Seed of the intervals.

    Raises:
        DataError: A gate names a figure, or a model, that the report does not have.
    """
    figures = _Figures(report, seed)
    return [_against(gate, figures, seed) if gate.no_worse_than else _alone(gate, figures) for gate in gates]


def _alone(gate: Gate, figures: _Figures) -> Passed:
    found = figures.one(gate.metric, gate.confidence)
    least = gate.at_least is not None
    limit = float(gate.at_least if gate.at_least is not None else gate.at_most or 0.0)
    asked = f"{gate.metric} at {'least' if least else 'most'} {limit:g}"
    fine = found.mean >= limit if least else found.mean <= limit
    sure = found.low >= limit if least else found.high <= limit
    return Passed(asked, gate.metric, _outcome(gate, fine, sure), found.mean, found.low, found.high, limit, found.n)


def _against(gate: Gate, figures: _Figures, seed: int) -> Passed:
    other = gate.no_worse_than
    asked = f"{gate.metric} no worse than {other}" + (f" by {gate.by:g}" if gate.by else "")
    worse_is_more = gate.metric in LOWER_IS_BETTER
    limit = gate.by if worse_is_more else -gate.by
    if other not in figures.told["scores"]:
        if other in ("base", "champion"):
            return Passed(asked, gate.metric, "open", None, None, None, limit, 0)
        raise DataError(
            f"the report does not compare with {other!r}",
            where="evaluate.gates",
            fix=f"add it to evaluate.against: [{other}]",
        )
    first, second = figures.shown(other), figures.shown("tuned")
    if gate.metric == "loss":
        rows = [row for row in second.losses if row in first.losses]
        columns = [[side.losses[row][0] for row in rows] for side in (first, second)]
        weights: list[float] | None = [second.losses[row][1] for row in rows]
    else:
        rows = [row for row in second.scores if row in first.scores and gate.metric in second.scores[row]]
        columns = [[side.scores[row][gate.metric] for row in rows] for side in (first, second)]
        weights = None
    if not rows:
        raise DataError(
            f"{gate.metric!r} of single rows is not known for {other}",
            where="evaluate.gates",
            fix="compare by loss or by a metric of evaluate.metrics; else give at_least or at_most",
        )
    found = compare(*columns, seed=seed, weights=weights, confidence=gate.confidence)
    fine = found.difference <= limit if worse_is_more else found.difference >= limit
    sure = found.high <= limit if worse_is_more else found.low >= limit
    return Passed(
        asked, gate.metric, _outcome(gate, fine, sure), found.difference, found.low, found.high, limit, found.n
    )


def _outcome(gate: Gate, fine: bool, sure: bool) -> Outcome:
    if not fine:
        return "failed"
    return "passed" if sure or not gate.confidence else "unsure"
