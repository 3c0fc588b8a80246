"""The comparison: several models' reports on the same rows as one value, and the page that is made from it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from tuneloop.evaluation import background, page, strips, verdict
from tuneloop.evaluation.answers import Answered
from tuneloop.evaluation.compared import compare_all
from tuneloop.evaluation.shown import Shown, rows_of
from tuneloop.monitoring.page import environment
from tuneloop.store import Model, Report, Store
from tuneloop.store.kinds import read_json

ASIDE = ("evaluate.", "monitor.")
"""Options that decide no model."""
SAMPLES = 8
"""Rows shown, those first on which the models differ most."""


def compare(reports: Mapping[str, Report], *, store: Store, seed: int, name: str) -> tuple[dict[str, Any], str]:
    """Lay reports on the same rows side by side.

    Args:
        reports: The report of each model, by the name it is told under; the first one is what the others are
            compared with.
        store: Where the models and their runs are.
        seed: Seed of the intervals.
        name: Title of the page.

    Returns:
        Everything the page says as plain values, and the page as one HTML file.
    """
    names = list(reports)
    first, others = names[0], names[1:]
    told = {side: read_json(report.folder / "report.json") for side, report in reports.items()}
    rows = {side: rows_of(report) for side, report in reports.items()}
    shown = {side: Shown.of(*rows[side], "tuned") for side in names}
    metrics = [metric for metric in told[first]["metrics"] if all(metric in told[side]["metrics"] for side in others)]
    scores = {side: told[side]["scores"]["tuned"] for side in names}
    lead = verdict.leading({"tuned": scores[first]}, metrics)
    value = {
        "name": name,
        "split": told[first]["split"],
        "term": told[first]["term"],
        "lead": lead,
        "metrics": metrics,
        "rows": int(scores[first]["loss"]["n"]),
        "models": [_model(side, reports[side], told[side], store) for side in names],
        "scores": scores,
        "compared": compare_all(shown, [(first, other) for other in others], metrics, seed=seed),
        "samples": _differing(rows[first][0], shown, metrics),
        "recipe": _changes({side: told[side]["recipe"] for side in names}),
        "lineage": background.lineage_of(store, *(report.parents["model"] for report in reports.values())),
        "tuneloop": told[first]["environment"]["tuneloop"],
    }
    plain: dict[str, Any] = msgspec.to_builtins(value)
    return plain, render(plain)


def render(told: dict[str, Any]) -> str:
    """Make the page of a comparison.

    Args:
        told: What :func:`compare` gave.

    Returns:
        A whole HTML document. Everything in it that came from rows, answers or recipes is escaped.
    """
    from markupsafe import Markup

    pages = environment(Path(__file__).parent)
    pages.filters |= {
        "title": verdict.title,
        "spoken": verdict.spoken,
        "difference": verdict.difference,
        "chance": page.chance,
        "yaml": page.as_yaml,
    }
    names = [model["name"] for model in told["models"]]
    figures = list(dict.fromkeys(figure for name in names for figure in told["scores"][name]))
    drawn = {
        figure: Markup(strips.draw([told["scores"][name].get(figure) for name in names], verdict.title(figure)))  # noqa: S704 - numbers and titles only
        for figure in figures
    }
    letters = {name: strips.letter(place) for place, name in enumerate(names)}
    return pages.get_template("compare.html.jinja").render(
        **told, figures=figures, strips=drawn, letters=letters, best=_best(told, names)
    )


def _best(told: Mapping[str, Any], names: list[str]) -> str:
    """The result in one sentence: what is surely better than the first model, by the leading figure."""
    lead = told["lead"] if told["lead"] in told["metrics"] else "loss"
    found = [each for each in told["compared"] if each["figure"].removesuffix("/row") == lead]
    better = [each["second"] for each in found if each["verdict"] == "better"]
    worse = [each["second"] for each in found if each["verdict"] == "worse"]
    said = [f"{', '.join(better)} better"] if better else []
    said += [f"{', '.join(worse)} worse"] if worse else []
    unclear = [each["second"] for each in found if each["verdict"] == "unclear"]
    said += [f"{', '.join(unclear)} not to be told apart"] if unclear else []
    return f"By {verdict.title(lead)}, against {names[0]}: {'; '.join(said)}"


def _model(name: str, report: Report, told: Mapping[str, Any], store: Store) -> dict[str, Any]:
    """What a reader wants to know of a model beside its scores."""
    facts = told["model"]
    model = store.get(Model, report.parents["model"])
    return {
        "name": name,
        "id": model.id,
        "base": facts.get("base", {}).get("name", ""),
        "form": facts.get("form", ""),
        "parameters": facts.get("parameters"),
        "trainable": facts.get("trainable"),
        "bytes": facts.get("bytes") or sum(entry.size for entry in model.manifest.files.values()),
        "speed": report.facts.get("speed", {}).get("tuned", {}),
        "report": report.id,
    }


def _differing(rows: list[Answered], shown: Mapping[str, Shown], metrics: list[str]) -> list[dict[str, Any]]:
    """The rows on which the first metric lies furthest apart, else those with different answers, each answer scored."""
    if not metrics:
        return []

    def spread(row: Answered) -> tuple[float, int]:
        each = [one.scores[row.record][metrics[0]] for one in shown.values()]
        return max(each) - min(each), len({one.answers[row.record].strip() for one in shown.values()})

    common = [row for row in rows if all(row.record in one.answers for one in shown.values())]
    apart = sorted((row for row in common if spread(row)[1] > 1), key=spread, reverse=True)
    return [
        {
            "prompt": row.prompt,
            "reference": row.reference,
            "origin": row.origin,
            "answers": {
                name: {"text": one.answers[row.record], "score": one.scores[row.record][metrics[0]]}
                for name, one in shown.items()
            },
        }
        for row in apart[:SAMPLES]
    ]


def _changes(recipes: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The options in which the recipes differ, each with every model's value."""
    flat = {name: dict(_spread(recipe)) for name, recipe in recipes.items()}
    paths = dict.fromkeys(path for values in flat.values() for path in values)
    return [
        {"path": path, "values": {name: values.get(path) for name, values in flat.items()}}
        for path in paths
        if not path.startswith(ASIDE) and len({repr(values.get(path)) for values in flat.values()}) > 1
    ]


def _spread(value: Any, above: str = "") -> list[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        return [pair for name, inner in value.items() for pair in _spread(inner, f"{above}.{name}" if above else name)]
    return [(above, value)]
