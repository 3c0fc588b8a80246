"""Curves: what a page draws of a run or of several, as plain values for the chart library."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from tuneloop.looking.thinning import Points, table, thin
from tuneloop.monitoring.history import History
from tuneloop.monitoring.plots import smooth
from tuneloop.rows import Finding

Chart = dict[str, Any]
Say = Callable[[str], str]
OVERFITTING = ("overfit", "memorised", "small_data")
_BY_ITSELF = ("train/epoch", "train/loss", "validation/loss", "train/grad_norm", "train/learning_rate")
_SIDE = {
    "throughput": ("train/tokens_per_second",),
    "memory": ("train/memory_mb",),
    "update": ("train/update_ratio",),
    "noise": ("train/noise_share",),
    "clipped": ("train/clipped", "train/padding"),
    "forgetting": ("general/loss",),
    "ends": ("validation/end_probability", "validation/end_early", "samples/stopped"),
    "depends": ("validation/loss", "validation/shuffled_loss"),
}
"""Small charts and the figures in each."""


def of_run(history: History, findings: Sequence[Finding], say: Say) -> list[Chart]:
    """The charts of one run; those without a figure are left out.

    Args:
        history: Its figures.
        findings: What the checks see, pinned on the loss.
        say: Gives a text of the page in the reader's language.
    """
    charts = [loss(history, findings, say), *_main(history, say), heat(history, say), *_losses(history, say)]
    charts += [
        _lines(id, say(f"chart.{id}"), {_short(name): history.series(name) for name in names})
        for id, names in _SIDE.items()
        if any(name not in _BY_ITSELF and history.series(name) for name in names)
    ]
    charts += [_lines(f"more-{name}", name, {name: points}) for name, points in _others(history)]
    return [chart for chart in charts if chart["series"]]


def loss(history: History, findings: Sequence[Finding], say: Say) -> Chart:
    """Training and held-out loss, with the over-fitting zone and the findings."""
    train, held = history.series("train/loss"), history.series("validation/loss")
    series = [
        _series(say("series.each_step"), train, "raw"),
        _series(say("series.train"), smooth(train), "train"),
        _series(say("series.held_out"), held, "held"),
    ]
    chart = _chart("loss", say("chart.loss"), series, say("unit.nats"))
    worse = [each for each in findings if each.check in OVERFITTING and each.severity in ("warning", "error")]
    if worse and held:
        best = min(held, key=lambda point: (point[1], point[0]))[0]
        chart["zone"] = (
            {"from": best, "to": held[-1][0], "text": say("zone.overfitting")} if best < held[-1][0] else None
        )
    chart["pins"] = pins(findings, held or train)
    return chart


def pins(findings: Sequence[Finding], line: Points) -> list[dict[str, Any]]:
    """Findings that are no good news, on a curve where they begin; those of one step share a pin.

    Args:
        findings: What the checks see, the worst first.
        line: The curve; what speaks of the whole run is pinned at its end.
    """
    found: dict[int, dict[str, Any]] = {}
    for number, finding in enumerate(findings, start=1):
        if finding.severity == "good" or not line:
            continue
        begins = finding.first_step or finding.last_step
        step, value = min(line, key=lambda point: abs(point[0] - begins))
        pin = found.setdefault(
            step, {"step": step, "y": _digits(value), "numbers": [], "texts": [], "severity": finding.severity}
        )
        pin["numbers"].append(number)
        pin["texts"].append(f"{number} {finding.check}: {finding.evidence}")
    return list(found.values())


def heat(history: History, say: Say) -> Chart:
    """The gradient norm of each group of layers over the steps, as its logarithm to the base of 10."""
    groups = history.under("train/grad_norm/")
    ordered = dict(sorted(groups.items(), key=lambda item: _depth(item[0])))
    chart = _chart("heat", say("chart.heat"), [], say("unit.log_norm"))
    if ordered:
        steps, rows = table(ordered)
        z = [[None if value is None or value <= 0 else _digits(math.log10(value)) for value in row] for row in rows]
        chart |= {
            "kind": "heat",
            "series": [{"name": name, "x": steps, "y": row} for name, row in zip(ordered, z, strict=True)],
        }
    return chart


def compared(histories: Mapping[str, History], say: Say) -> list[Chart]:
    """The charts of several runs, a curve each.

    Args:
        histories: Their figures, by what each run is called.
        say: Gives a text of the page in the reader's language.
    """
    wanted = {
        "held": ("validation/loss", say("chart.held"), say("unit.nats")),
        "train": ("train/loss", say("chart.train"), say("unit.nats")),
        "rate": ("train/learning_rate", say("chart.rate"), ""),
        "norm": ("train/grad_norm", say("chart.norm"), ""),
        "throughput": ("train/tokens_per_second", say("chart.throughput"), ""),
        "memory": ("train/memory_mb", say("chart.memory"), ""),
    }
    charts = []
    for id, (name, title, unit) in wanted.items():
        curve = {label: history.series(name) for label, history in histories.items()}
        if name in ("train/loss", "train/grad_norm", "train/tokens_per_second"):
            curve = {label: smooth(points) for label, points in curve.items()}
        series = [_series(label, points, f"run{index}") for index, (label, points) in enumerate(curve.items())]
        charts.append(_chart(id, title, [each for each in series if each["x"]], unit))
    return [chart for chart in charts if chart["series"]]


def _main(history: History, say: Say) -> Iterator[Chart]:
    yield _lines("rate", say("chart.rate"), {say("series.rate"): history.series("train/learning_rate")})
    norm = history.series("train/grad_norm")
    limit = history.option("train.max_grad_norm")
    chart = _lines("norm", say("chart.norm"), {say("series.norm"): norm})
    if norm and isinstance(limit, int | float) and limit > 0:
        chart["limit"] = {"y": limit, "text": say("series.clipped_above")}
    yield chart


def _losses(history: History, say: Say) -> Iterator[Chart]:
    """The loss in parts, by source and by position in the answer: held-out where it was measured, else of training."""
    for id, names in (("sources", None), ("positions", ("first", "rest", "end"))):
        for split in ("validation", "train"):
            below = history.under(f"{split}/loss/source/" if names is None else f"{split}/loss/")
            chosen = below if names is None else {name: below[name] for name in names if name in below}
            if chosen:
                lines = {
                    name if names is None else say(f"position.{name}"): smooth(points) if split == "train" else points
                    for name, points in chosen.items()
                }
                yield _lines(id, f"{say(f'chart.{id}')} ({say(f'split.{split}')})", lines, say("unit.nats"))
                break


def _others(history: History) -> Iterator[tuple[str, Points]]:
    shown = {*_BY_ITSELF, *(name for names in _SIDE.values() for name in names)}
    parts = ("train/grad_norm/", "train/loss/", "validation/loss/", "data/", "model/", "template/")
    for name in history.names:
        points = history.series(name)
        if (
            name not in shown
            and not name.startswith(parts)
            and not name.endswith("/error")
            and len({step for step, _ in points}) > 1
        ):
            yield name, points


def _lines(id: str, title: str, lines: Mapping[str, Points], unit: str = "") -> Chart:
    series = [_series(name, points, f"line{index}") for index, (name, points) in enumerate(lines.items())]
    return _chart(id, title, [each for each in series if each["x"]], unit)


def _chart(id: str, title: str, series: list[dict[str, Any]], unit: str) -> Chart:
    return {"id": id, "kind": "lines", "title": title, "unit": unit, "series": [each for each in series if each["x"]]}


def _series(name: str, points: Points, role: str) -> dict[str, Any]:
    kept = thin(points)
    return {"name": name, "role": role, "x": [step for step, _ in kept], "y": [_digits(value) for _, value in kept]}


def _depth(group: str) -> tuple[int, str]:
    return {"embedding": 0, "head": 2, "other": 3}.get(group, 1), group


def _digits(value: float) -> float:
    """Five digits: more than a screen shows, and half the bytes."""
    return float(f"{value:.5g}")


def _short(name: str) -> str:
    return name.partition("/")[2].replace("_", " ")
