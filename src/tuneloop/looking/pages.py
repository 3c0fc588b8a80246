"""Pages: what each page shows, from the shelf to the template."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tuneloop.looking import curves, figures, studies
from tuneloop.looking.differences import apart, differences, flat
from tuneloop.looking.shelf import Brief, Shelf
from tuneloop.looking.texts import texts
from tuneloop.monitoring import page, proof
from tuneloop.monitoring.followed import Followed
from tuneloop.monitoring.history import History
from tuneloop.monitoring.plots import smooth

DOCUMENTS = {"dataset": "card.html", "report": "report.html"}
"""The whole page that artifacts of a kind have in the store."""
_SAMPLES = 12


class Pages:
    """Makes the pages of one site.

    Args:
        shelf: The runs.
    """

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf

    def runs(self, language: str, explicit: bool) -> str:
        """The list of all runs."""
        briefs = self.shelf.briefs()
        several = len({brief.store for brief in briefs}) > 1
        rows = [{"brief": brief, **_drawn(brief)} for brief in briefs]
        return self._render(
            "runs", language, explicit, rows=rows, apart=_apart(briefs), several=several, studies=self.shelf.studies()
        )

    def run(self, id: str, language: str, explicit: bool) -> str | None:
        """One run; None where there is none of that id."""
        told = self.shelf.with_run(id, lambda followed: _run(followed, language))
        if told is None:
            return None
        other = self._before(told)
        lines = self.shelf.with_run(other.id, lambda one: differences([told["yaml"], one.recipe])) if other else []
        family = self._family(id)
        choices = [brief for brief in self.shelf.briefs() if brief.id != id]
        return self._render(
            "run", language, explicit, **told, other=other, differing=lines or [], family=family, choices=choices
        )

    def figures(self, id: str, language: str) -> dict[str, Any] | None:
        """What changes on the page of a run while it goes on: pieces of the page, and the charts."""

        def tell(followed: Followed) -> dict[str, Any]:
            told = _run(followed, language)
            say = texts(language)
            pieces = ("state", "findings", "samples", "receipts")
            return {
                "state": told["state"],
                "pieces": {name: self._render(f"_{name}", language, False, **told) for name in pieces},
                "charts": curves.of_run(followed.history, told["findings"], say),
                "title": told["name"],
            }

        found: dict[str, Any] | None = self.shelf.with_run(id, tell)
        return found

    def version(self, id: str) -> str | None:
        """A text that changes when the page of a run would; None where there is no such run."""
        found: str | None = self.shelf.with_run(id, lambda one: f"{one.place.id}-{one.version}-{one.state}-{one.away}")
        return found

    def compare(self, ids: Sequence[str], language: str, explicit: bool) -> str:
        """Several runs beside each other; those that are not there are left out."""
        told = [each for id in ids if (each := self.shelf.with_run(id, lambda one: _run(one, language)))]
        labels = _labels(told)
        words = apart([flat(each["yaml"]) for each in told])
        rows = differences([each["yaml"] for each in told])
        lines = _side_by_side(told, texts(language))
        query = urlencode([("run", each["id"]) for each in told])
        shown = {"runs": told, "labels": labels, "words": words, "differing": rows, "lines": lines}
        return self._render("compare", language, explicit, **shown, query_runs=query)

    def compared(self, ids: Sequence[str], language: str) -> dict[str, Any]:
        """The charts of several runs."""
        told = [
            each for id in ids if (each := self.shelf.with_run(id, lambda one: (one.place.id, one.name, one.history)))
        ]
        labels = _labels([{"id": id, "name": name} for id, name, _ in told])
        histories: dict[str, History] = {label: each[2] for label, each in zip(labels, told, strict=True)}
        return {"charts": curves.compared(histories, texts(language)), "pieces": {}, "state": ""}

    def artifact(self, id: str, language: str, explicit: bool) -> str | None:
        """An artifact of any kind: its own page in a frame where it has one, its facts, and its kin."""
        found = self.shelf.manifest(id)
        if found is None:
            return None
        manifest, folder = found
        document = DOCUMENTS.get(manifest.kind, "")
        has = bool(document) and (folder / document).is_file()
        facts = [(name, proof.figure(value)) for name, value in _flat(manifest.facts)]
        shown = {"manifest": manifest, "has": has, "facts": facts, "family": self._family(id)}
        pictures = sorted(name for name in manifest.files if _is_picture(name))
        study = studies.told(folder) if manifest.kind == "study" else None
        return self._render("artifact", language, explicit, **shown, pictures=pictures, study=study)

    def picture(self, id: str, name: str) -> Path | None:
        """A picture of an artifact; None where its manifest names none of that name."""
        found = self.shelf.manifest(id)
        return found[1] / name if found and name in found[0].files and _is_picture(name) else None

    def document(self, id: str) -> Path | None:
        """The file of an artifact's own page; None where it has none."""
        found = self.shelf.manifest(id)
        path = found[1] / DOCUMENTS[found[0].kind] if found and found[0].kind in DOCUMENTS else None
        return path if path and path.is_file() else None

    def missing(self, language: str, explicit: bool) -> str:
        """The page that stands for one that is not there."""
        return self._render("missing", language, explicit)

    def _before(self, told: dict[str, Any]) -> Brief | None:
        """The run of the same recipe that began last before one."""
        same = [each for each in self.shelf.briefs() if each.name == told["name"] and each.id != told["id"]]
        return next((each for each in same if each.began < told["began"]), None)

    def _family(self, id: str) -> list[Any]:
        found = self.shelf.manifest(id)
        above = [self.shelf.manifest(parent) for parent in found[0].parents.values()] if found else []
        return [each[0] for each in above if each] + self.shelf.made_from(id)

    def _render(self, template: str, language: str, explicit: bool, /, **told: Any) -> str:
        pages = page.environment(Path(__file__).parent / "templates")
        pages.filters |= {
            "loss": figures.loss,
            "amount": figures.amount,
            "span": figures.span,
            "moment": figures.moment,
            "id": figures.short,
            "dots": figures.dots,
        }
        query = f"?lang={language}" if explicit else ""
        say: Callable[..., str] = texts(language)
        return pages.get_template(f"{template}.html.jinja").render(say=say, query=query, lang=language, **told)


def _is_picture(name: str) -> bool:
    return name.endswith(".png") and "/" not in name


def _drawn(brief: Brief) -> dict[str, str]:
    """The small curves of a run, drawn to the scale of its own losses."""
    points = [*brief.curve, *brief.held]
    if not points:
        return {"curve": "", "held": ""}
    steps, values = [step for step, _ in points], [value for _, value in points]
    box = (min(steps), max(steps), min(values), max(values))
    return {"curve": figures.spark(brief.curve, *box), "held": figures.spark(brief.held, *box)}


def _apart(briefs: Sequence[Brief]) -> dict[str, list[str]]:
    """What tells runs of the same recipe from each other, by their ids."""
    found: dict[str, list[str]] = {}
    for name in {brief.name for brief in briefs}:
        same = [brief for brief in briefs if brief.name == name]
        words = apart([brief.options for brief in same])
        found |= {brief.id: told for brief, told in zip(same, words, strict=True)}
    return found


def _run(followed: Followed, language: str) -> dict[str, Any]:
    """Everything that the page of a run shows besides its charts."""
    history, say = followed.history, texts(language)
    held = history.series("validation/loss")
    findings = followed.findings()
    receipts = followed.document("receipts.json")
    facts = followed.place.manifest.facts if followed.place.manifest else {}
    return {
        "id": followed.place.id,
        "name": followed.name,
        "names": followed.place.names,
        "state": followed.state,
        "state_text": say(f"state.{followed.state}"),
        "ended": str(facts.get("ended", "")),
        "away": followed.away,
        "began": followed.began,
        "spent": followed.spent,
        "left": followed.left,
        "silent": followed.silent,
        "step": followed.step,
        "steps": followed.steps,
        "share": followed.share,
        "held": held[-1][1] if held else None,
        "best": min(held, key=lambda point: (point[1], point[0])) if held else None,
        "train": smooth(history.series("train/loss"))[-1:],
        "speed": history.latest("train/tokens_per_second"),
        "memory": history.latest("train/memory_mb"),
        "base": figures.base(followed.recipe),
        "findings": findings,
        "commands": [f"--set {shlex.quote(each.change)}" if each.change else "" for each in findings],
        "samples": _samples(followed),
        "receipts": proof.lines(receipts) if receipts else [],
        "yaml": followed.recipe,
        "recipe": _yaml(followed.recipe),
        "version": followed.version,
    }


def _samples(followed: Followed) -> list[dict[str, Any]]:
    """The answers to each prompt, the latest first."""
    prompts: dict[str, list[dict[str, Any]]] = {}
    for row in followed.samples():
        prompts.setdefault(str(row["prompt"]), []).append(row)
    return [
        {"prompt": prompt, "reference": rows[-1].get("reference"), "answers": rows[::-1]}
        for prompt, rows in list(prompts.items())[:_SAMPLES]
    ]


def _labels(told: Sequence[dict[str, Any]]) -> list[str]:
    """What runs are called beside each other: by their names where those differ, else by their ids."""
    names = [each["name"] for each in told]
    if len(set(names)) == len(names):
        return names
    return [figures.short(each["id"]) for each in told]


def _side_by_side(told: Sequence[dict[str, Any]], say: Callable[..., str]) -> list[dict[str, Any]]:
    """Lines of figures: their title, a text for each run, and which of them is the best."""
    best = [each["best"][1] if each["best"] else None for each in told]
    train = [each["train"][0][1] if each["train"] else None for each in told]
    lines = [
        (say("column.held"), [figures.loss(value) for value in best], best),
        (say("column.train"), [figures.loss(value) for value in train], []),
        (say("column.steps"), [f"{each['step']:,}" for each in told], []),
        (say("figure.time"), [figures.span(each["spent"]) for each in told], []),
        (say("figure.speed"), [figures.amount(each["speed"]) for each in told], []),
        (say("figure.memory"), [f"{figures.amount(each['memory'])} MB" if each["memory"] else "" for each in told], []),
        (say("state"), [each["state_text"] for each in told], []),
        (say("compare.model"), [each["base"] for each in told], []),
    ]
    return [{"title": title, "texts": texts, "best": _lowest(values)} for title, texts, values in lines if any(texts)]


def _lowest(values: Sequence[float | None]) -> list[int]:
    known = [value for value in values if value is not None]
    return [index for index, value in enumerate(values) if value == min(known)] if len(known) > 1 else []


def _flat(values: dict[str, Any], above: str = "") -> list[tuple[str, Any]]:
    lines: list[tuple[str, Any]] = []
    for name, value in values.items():
        if isinstance(value, dict):
            lines += _flat(value, f"{above}{name}.")
        elif value not in (None, "", []):
            lines.append((f"{above}{name}", ", ".join(map(str, value)) if isinstance(value, list) else value))
    return lines


def _yaml(recipe: dict[str, Any]) -> str:
    import yaml

    return yaml.safe_dump(recipe, sort_keys=False, allow_unicode=True, width=100) if recipe else ""
