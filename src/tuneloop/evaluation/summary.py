"""The summary: everything a report says, as one plain value (``report.json``), from which the page is made too."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Any

import msgspec

from tuneloop.evaluation import findings
from tuneloop.evaluation.answers import Answered
from tuneloop.evaluation.interval import Mean, bootstrap, mean, wilson
from tuneloop.evaluation.labels import macro_f1, of_labels
from tuneloop.evaluation.loss import HeldOut
from tuneloop.evaluation.section import EvaluateSection
from tuneloop.evaluation.words import script
from tuneloop.monitoring.history import History
from tuneloop.monitoring.plots import overfitting
from tuneloop.store import Dataset, Model, Run, Store
from tuneloop.store.digest import of_value
from tuneloop.store.kinds import read_json
from tuneloop.store.lineage import ancestors
from tuneloop.tasks import Question, Task

if TYPE_CHECKING:
    from tuneloop.models import Loaded

PACKAGES = ("tuneloop", "torch", "transformers", "peft", "tokenizers", "rouge-score", "sacrebleu")
SEVERITIES = ("error", "warning", "note", "good")
ROUNDING = 1e-4
"""Mean rewards below this are rounding: the model is the reference itself."""
CURVES = ("train/loss", "validation/loss", "train/learning_rate", "train/grad_norm")


@dataclass(frozen=True)
class Subject:
    """What a report is about.

    Attributes:
        section: On what and how is measured.
        name: Title of the report.
        model: The tuned model.
        dataset: The dataset with the rows that are measured.
        task: What was learned.
        run: The training run, if it is known.
        seed: Seed of the intervals and of drawn tokens.
    """

    section: EvaluateSection
    name: str
    model: Model
    dataset: Dataset
    task: Task
    run: Run | None
    seed: int

    @property
    def parents(self) -> dict[str, str]:
        """Ids of the artifacts that the report is made from, by their role."""
        run = {"run": self.run.id} if self.run else {}
        return {"model": self.model.id, "dataset": self.dataset.id} | run

    @property
    def options(self) -> dict[str, Any]:
        """The sections of the recipe that decide the report, spelled out."""
        return {
            "task": self.task.spelled(),
            "evaluate": self.section.model_dump(mode="json"),
            "seed": self.seed,
        }

    @property
    def key(self) -> str:
        """Digest of everything that decides the report."""
        return of_value(["report", self.parents, self.options, self.name])


@dataclass(frozen=True)
class Measured:
    """What one of the two models showed.

    Attributes:
        held_out: Its loss on all rows.
        asked: The questions it was asked.
        answers: Text of each answer and why it ended, in the order of the questions.
        too_long: Rows passed over because their prompt fills the whole context.
        device: Where it ran.
    """

    held_out: HeldOut
    asked: list[Question]
    answers: list[tuple[str, str]]
    too_long: int
    device: str


def summarise(
    subject: Subject, measured: Mapping[str, Measured], answered: Sequence[Answered], store: Store
) -> dict[str, Any]:
    """Gather what the report says.

    Args:
        subject: What the report is about.
        measured: What ``tuned`` and, if it was measured, ``base`` showed.
        answered: The answers with their scores.
        store: Where the artifacts are.

    Returns:
        A value of plain lists, dicts, strings and numbers. Nothing in it depends on when it was made.
    """
    section, run, seed = subject.section, subject.run, subject.seed
    metrics = [metric.name for metric in section.metrics] if answered else []
    scores = {side: _scores(one.held_out, side, answered, metrics, seed) for side, one in measured.items()}
    said, right = [row.tuned for row in answered], [row.reference for row in answered]
    choices = subject.task.choices
    if choices and answered:
        scores["tuned"]["macro_f1"] = msgspec.to_builtins(macro_f1(said, right, seed=seed))
    change = _change(answered, metrics, seed) if "base" in measured else {}
    lead = leading(scores, metrics)
    judged = judge(scores, change, metrics if lead in metrics else ())
    history = History(run.signals() if run else ())
    found = [
        *findings.of_evaluation(section, measured, answered, judged, lead if lead in metrics else "loss"),
        *(run.findings() if run else ()),
    ]
    told: dict[str, Any] = {
        "name": subject.name or subject.model.id,
        "verdict": verdict(scores, metrics, int(scores["tuned"][lead]["n"]), section.split),
        "judgement": judged,
        "split": section.split,
        "metrics": metrics,
        "scores": scores,
        "change": change,
        "groups": _groups(answered, metrics, seed),
        "lead": lead,
        "term": subject.task.term,
        "labels": of_labels(said, right, choices) if choices and answered else {},
        "samples": answered[: section.samples],
        "mistakes": _mistakes(answered, metrics, section.samples),
        "findings": sorted(found, key=lambda finding: SEVERITIES.index(finding.severity)),
        "figures": {name: history.series(name) for name in CURVES if history.series(name)},
        "overfitting": overfitting(history),
        "receipts": _optional(run, "receipts.json"),
        "model": subject.model.facts,
        "data": _data(subject.dataset),
        "lineage": _lineage(store, subject),
        "recipe": _recipe(run) | subject.options,
        "environment": _environment(measured["tuned"].device),
    }
    plain: dict[str, Any] = msgspec.to_builtins(told)
    return plain


def leading(scores: Mapping[str, Any], metrics: Sequence[str]) -> str:
    """The figure that a report opens with: what the task itself prefers, the first metric, the perplexity or the loss.

    Example:
        >>> leading({"tuned": {"loss": {}, "perplexity": {}}}, [])
        'perplexity'
    """
    known = scores["tuned"]
    return next(name for name in ("rewards/accuracies", *metrics[:1], "perplexity", "loss") if name in known)


def verdict(scores: Mapping[str, Any], metrics: Sequence[str], rows: int, split: str) -> str:
    """Say the result in one sentence, by the leading figure.

    Example:
        >>> scores = {side: {"exact_match": {"mean": value}} for side, value in (("base", 0), ("tuned", 0.944))}
        >>> verdict(scores, ["exact_match"], 180, "test")
        'Exact match 0 % → 94 % on 180 held-out rows'
    """
    figure = leading(scores, metrics)
    told = [spoken(figure, scores[side][figure]["mean"]) for side in scores if figure in scores[side]]
    kind = "training" if split == "train" else "held-out"
    return f"{title(figure)} {' → '.join(told)} on {rows:,} {kind} row{'' if rows == 1 else 's'}"


def title(figure: str) -> str:
    """The name of a metric as a person reads it."""
    known = {"token_f1": "Token F1", "rouge_l": "ROUGE-L", "chrf": "chrF", "macro_f1": "Macro F1"}
    known |= {"rewards/accuracies": "Reward accuracy", "rewards/margins": "Reward margin"}
    known |= {"logps/accuracies": "Chosen answer likelier"}
    return known.get(figure, figure.replace("_", " ").capitalize())


def spoken(figure: str, value: float) -> str:
    """A score as a person reads it: a loss with three digits, a perplexity with four, all others in per cent."""
    if figure in ("loss", "rewards/margins"):
        return f"{value:.3f}"
    if figure == "perplexity":
        return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"
    share = 100 * value
    return f"{share:.1f} %" if 0 < share < 1 or 99 < share < 100 else f"{share:.0f} %"


def judge(scores: Mapping[str, Any], change: Mapping[str, Mean], metrics: Sequence[str]) -> str:
    """Say whether the tuned model is ``better`` than the base, ``worse``, or the difference ``unclear``.

    The first metric's difference, row by row, must be other than zero with 95 % confidence; without metrics
    the loss must differ by more than 1 %. Empty without a base.
    """
    if "base" not in scores:
        return ""
    if metrics:
        first = change[metrics[0]]
        return "better" if first.low > 0 else "worse" if first.high < 0 else "unclear"
    before, after = scores["base"]["loss"]["mean"], scores["tuned"]["loss"]["mean"]
    return "better" if after < 0.99 * before else "worse" if after > 1.01 * before else "unclear"


def trained_length(run: Run | None, loaded: Loaded) -> int:
    """Tokens of the longest row: as in training where that is known, and never more than the model's context."""
    from tuneloop.models.generate import context_length

    trained = _recipe(run).get("train", {}).get("max_length")
    return min(length for length in (trained, context_length(loaded), 1 << 20) if length)


def _scores(
    loss: HeldOut, side: str, answered: Sequence[Answered], metrics: Sequence[str], seed: int
) -> dict[str, dict[str, float]]:
    counts = {"n": loss.rows, "tokens": loss.tokens}
    scores: dict[str, dict[str, float]] = {
        "loss": {"mean": loss.loss} | counts,
    }
    if loss.perplexity is not None:
        scores["perplexity"] = {"mean": loss.perplexity} | counts
    scores |= _preferred(loss)
    for metric in metrics:
        found = mean([row.scores[side][metric] for row in answered], seed=seed)
        scores[metric] = {"mean": found.mean, "low": found.low, "high": found.high, "n": found.n}
    return scores


def _preferred(loss: HeldOut) -> dict[str, dict[str, float]]:
    """How often the right answer is preferred, and by how much; the reference has no rewards against itself."""
    told, n = loss.figures, loss.tokens
    shares = [name for name in ("rewards/accuracies", "logps/accuracies") if name in told]
    margin = {"rewards/margins": {"mean": told["rewards/margins"], "n": n}} if "rewards/margins" in told else {}
    if max(abs(told.get(f"rewards/{side}", 0.0)) for side in ("chosen", "rejected")) < ROUNDING:
        shares, margin = shares[1:], {}
    return {name: msgspec.to_builtins(wilson(round(told[name] * n), n)) for name in shares} | margin


def _change(answered: Sequence[Answered], metrics: Sequence[str], seed: int) -> dict[str, Mean]:
    return {
        metric: bootstrap([row.scores["tuned"][metric] - row.scores["base"][metric] for row in answered], seed=seed)
        for metric in metrics
    }


def _groups(answered: Sequence[Answered], metrics: Sequence[str], seed: int) -> dict[str, Any]:
    groups: dict[str, list[Answered]] = {}
    for row in answered:
        groups.setdefault(script(row.prompt), []).append(row)
    if len(groups) < 2:
        return {}
    return {
        name: {
            side: {metric: mean([row.scores[side][metric] for row in rows], seed=seed) for metric in metrics}
            for side in rows[0].scores
        }
        for name, rows in sorted(groups.items())
    }


def _mistakes(answered: Sequence[Answered], metrics: Sequence[str], shown: int) -> list[Answered]:
    """The worst tuned answers among those that the samples do not show already."""
    rest = answered[shown:] if metrics else ()
    wrong = [row for row in rest if row.scores["tuned"][metrics[0]] < 1 and row.tuned.strip() != row.reference.strip()]
    return sorted(wrong, key=lambda row: row.scores["tuned"][metrics[0]])[:shown]


def _optional(run: Run | None, name: str) -> dict[str, Any]:
    return read_json(run.folder / name) if run and (run.folder / name).exists() else {}


def _recipe(run: Run | None) -> dict[str, Any]:
    import yaml

    if run is None:
        return {}
    value: dict[str, Any] = yaml.safe_load((run.folder / "recipe.yaml").read_text(encoding="utf-8"))
    return value


def _data(dataset: Dataset) -> dict[str, Any]:
    import pyarrow.parquet as pq

    dropped = Counter(drop.reason for drop in dataset.dropped())
    splits = {split: pq.read_metadata(dataset.folder / f"{split}.parquet").num_rows for split in dataset.splits}
    kept, gone = sum(splits.values()), sum(dropped.values())
    return {"rows": kept + gone, "kept": kept, "splits": splits, "dropped": dict(dropped.most_common())}


def _lineage(store: Store, subject: Subject) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for id in subject.parents.values():
        for manifest in ancestors(store, id):
            found[manifest.id] = {"kind": manifest.kind, "id": manifest.id, "parents": manifest.parents}
    return list(found.values())


def _environment(device: str) -> dict[str, str]:
    versions = {name: metadata.version(name) for name in PACKAGES}
    return (
        {"python": platform.python_version(), "system": platform.system(), "machine": platform.machine()}
        | {"device": device}
        | versions
    )
