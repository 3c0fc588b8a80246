"""The summary: everything a report says, as one plain value (``report.json``), from which the page is made too."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from tuneloop.evaluation import background, findings
from tuneloop.evaluation.answers import Answered
from tuneloop.evaluation.compared import Compared, compare_all
from tuneloop.evaluation.groups import grouped
from tuneloop.evaluation.interval import Mean, bootstrap, mean, wilson
from tuneloop.evaluation.labels import calibration, macro_f1, of_labels
from tuneloop.evaluation.loss import HeldOut
from tuneloop.evaluation.shown import RowLoss, Shown
from tuneloop.evaluation.subject import Measured, Subject
from tuneloop.evaluation.verdict import judge, leading, verdict
from tuneloop.monitoring.history import History
from tuneloop.monitoring.plots import overfitting
from tuneloop.store import Store

SEVERITIES = ("error", "warning", "note", "good")
ROUNDING = 1e-4
"""Mean rewards below this are rounding: the model is the reference itself."""
CURVES = ("train/loss", "validation/loss", "train/learning_rate", "train/grad_norm")


@dataclass(frozen=True)
class Outcome:
    """What was measured, row by row.

    Attributes:
        measured: What ``tuned`` and, if it was measured, ``base`` showed.
        answered: The answers with their scores, other models' among them.
        losses: The losses of single rows, other models' among them.
        judged: What a judge said of the answers; empty without one.
        regression: What became of the rows that must stay right; empty without any.
    """

    measured: Mapping[str, Measured]
    answered: Sequence[Answered]
    losses: Sequence[RowLoss]
    judged: Mapping[str, Any]
    regression: Mapping[str, Any]


def summarise(subject: Subject, outcome: Outcome, store: Store) -> dict[str, Any]:
    """Gather what the report says.

    Args:
        subject: What the report is about.
        outcome: What was measured.
        store: Where the artifacts are.

    Returns:
        A value of plain lists, dicts, strings and numbers. Nothing in it depends on when it was made.
    """
    section, run, seed = subject.section, subject.run, subject.seed
    measured, answered, losses = outcome.measured, outcome.answered, outcome.losses
    metrics = [metric.name for metric in section.metrics] if answered else []
    scores = _all_scores(subject, outcome, metrics)
    choices = subject.task.choices if answered else ()
    compared = _compared(subject, outcome, metrics)
    lead = leading(scores, metrics)
    decides = lead if lead in metrics else "loss"
    judged = judge(compared, decides)
    history = History(run.signals() if run else ())
    told: dict[str, Any] = {
        "name": subject.name or subject.model.id,
        "verdict": verdict(scores, metrics, int(scores["tuned"][lead]["n"]), section.split),
        "judgement": judged,
        "split": section.split,
        "metrics": metrics,
        "scores": scores,
        "change": _change(compared, metrics),
        "compared": compared,
        "against": {name: report.parents["model"] for name, report in subject.given.against.items()},
        "groups": grouped(answered, losses, metrics, bool(choices), seed),
        "lead": lead,
        "term": subject.task.term,
        "labels": _labels(answered, choices),
        "judge": outcome.judged,
        "benchmarks": {side: one.benchmarks for side, one in measured.items() if one.benchmarks},
        "regression": outcome.regression,
        "samples": answered[: section.samples],
        "mistakes": _mistakes(answered, metrics, section.samples),
        "findings": _findings(subject, outcome, compared, judged, decides),
        "figures": {name: history.series(name) for name in CURVES if history.series(name)},
        "overfitting": overfitting(history),
        "receipts": background.receipts_of(run),
        "model": subject.model.facts,
        "data": background.data_of(subject.dataset),
        "lineage": background.lineage_of(store, *subject.parents.values()),
        "recipe": background.recipe_of(run) | subject.options,
        "environment": background.environment(measured["tuned"].device),
    }
    plain: dict[str, Any] = msgspec.to_builtins(told)
    return plain


def _findings(
    subject: Subject, outcome: Outcome, compared: Sequence[Compared], judged: str, decides: str
) -> list[findings.Finding]:
    found = [
        *findings.of_evaluation(
            subject.section, outcome.measured, outcome.answered, judged, findings.deciding(compared, decides)
        ),
        *findings.of_regression(outcome.regression),
        *(subject.run.findings() if subject.run else ()),
    ]
    return sorted(found, key=lambda finding: SEVERITIES.index(finding.severity))


def _all_scores(subject: Subject, outcome: Outcome, metrics: Sequence[str]) -> dict[str, dict[str, Any]]:
    seed = subject.seed
    scores = {
        side: _scores(one.held_out, side, outcome.answered, metrics, seed) for side, one in outcome.measured.items()
    }
    for name, report in subject.given.against.items():
        scores[name] = report.scores["tuned"]
    if subject.task.choices and outcome.answered:
        said = [row.tuned for row in outcome.answered]
        right = [row.reference for row in outcome.answered]
        scores["tuned"]["macro_f1"] = msgspec.to_builtins(macro_f1(said, right, seed=seed))
    return scores


def _scores(
    loss: HeldOut, side: str, answered: Sequence[Answered], metrics: Sequence[str], seed: int
) -> dict[str, dict[str, float]]:
    counts = {"n": loss.rows, "tokens": loss.tokens}
    sure: dict[str, float] = {}
    if loss.each:
        sums, terms = zip(*loss.each.values(), strict=True)
        found = bootstrap(sums, weights=terms, seed=seed)
        sure = {"low": found.low, "high": found.high}
    scores: dict[str, dict[str, float]] = {"loss": {"mean": loss.loss} | sure | counts}
    if loss.perplexity is not None:
        reach = {end: math.exp(min(value, 700.0)) for end, value in sure.items()}
        scores["perplexity"] = {"mean": loss.perplexity} | reach | counts
    scores |= _preferred(loss)
    for metric in metrics:
        scores[metric] = msgspec.to_builtins(mean([row.scores[side][metric] for row in answered], seed=seed))
    return scores


def _preferred(loss: HeldOut) -> dict[str, dict[str, float]]:
    """How often the right answer is preferred, and by how much; the reference has no rewards against itself."""
    told, n = loss.figures, loss.tokens
    shares = [name for name in ("rewards/accuracies", "logps/accuracies") if name in told]
    margin = {"rewards/margins": {"mean": told["rewards/margins"], "n": n}} if "rewards/margins" in told else {}
    if max(abs(told.get(f"rewards/{side}", 0.0)) for side in ("chosen", "rejected")) < ROUNDING:
        shares, margin = shares[1:], {}
    return {name: msgspec.to_builtins(wilson(round(told[name] * n), n)) for name in shares} | margin


def _compared(subject: Subject, outcome: Outcome, metrics: Sequence[str]) -> list[Compared]:
    """The tuned model against the base and every other one, all told together."""
    firsts = [*(side for side in outcome.measured if side == "base"), *subject.given.against]
    shown = {side: Shown.of(outcome.answered, outcome.losses, side) for side in ("tuned", *firsts)}
    return compare_all(shown, [(first, "tuned") for first in firsts], metrics, seed=subject.seed)


def _change(compared: Sequence[Compared], metrics: Sequence[str]) -> dict[str, Mean]:
    """The difference of tuned and base by metric."""
    found = {each.figure: each.found for each in compared if each.first == "base" and each.figure in metrics}
    return {metric: Mean(one.difference, one.low, one.high, one.n) for metric, one in found.items()}


def _labels(answered: Sequence[Answered], choices: Sequence[str]) -> dict[str, Any]:
    if not choices:
        return {}
    said, right = [row.tuned for row in answered], [row.reference for row in answered]
    found = of_labels(said, right, choices)
    if all("tuned" in row.sure for row in answered):
        found["calibration"] = calibration([row.sure["tuned"] for row in answered], said, right)
    return found


def _mistakes(answered: Sequence[Answered], metrics: Sequence[str], shown: int) -> list[Answered]:
    """The worst tuned answers among those that the samples do not show already."""
    rest = answered[shown:] if metrics else ()
    wrong = [row for row in rest if row.scores["tuned"][metrics[0]] < 1 and row.tuned.strip() != row.reference.strip()]
    return sorted(wrong, key=lambda row: row.scores["tuned"][metrics[0]])[:shown]
