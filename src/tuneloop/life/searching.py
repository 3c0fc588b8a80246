"""Searching: the recipe is trained with other values at some of its paths, and the best of them is kept."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuneloop.errors import DataError, MissingPackage, RecipeError, StoreError, TuneloopError
from tuneloop.life.making import SILENT, load, prepare, trained
from tuneloop.monitoring.history import History
from tuneloop.monitoring.progress import Progress
from tuneloop.recipe import Recipe
from tuneloop.recipe.written import flow
from tuneloop.store import Dataset, Model, Run, Store, Study
from tuneloop.store.digest import of_value
from tuneloop.store.roles import Roles

if TYPE_CHECKING:
    from tuneloop.tuning.trials import Order, Outcome

_HELD_OUT = "validation/loss"
_LEAN: dict[str, Any] = {"details": False, "samples": 0, "sample_prompts": (), "general_texts": None}
"""What is not watched of a trial whose score does not need it."""
_SCORES_ALONE: dict[str, Any] = {"split": "validation", "baseline": False, "samples": 0, "against": [], "gates": []}
_SCORES_ALONE |= {"judge": None, "benchmarks": [], "regression": ""}
"""What is measured of a trial: its own scores, on rows that are no test; nobody else is asked."""
_ASIDE = ("name", "tune", "monitor", "evaluate", "export", "serve", "feedback")
"""Sections that do not change what is learned."""


def tune(recipe: Recipe, store: Store, progress: Progress = SILENT) -> Study:
    """Search better values for the paths that the recipe's ``tune`` section names; a search that was stopped goes on.

    The best trial's run and model become those of the recipe; of the other trials the runs are kept, and the models
    are removed.

    Args:
        recipe: The recipe.
        store: The store.
        progress: Told of every trial, and how far the search is.

    Raises:
        RecipeError: There is nothing to vary, or no training records what is to be compared.
        DataError: There are no rows to learn from, or none held out to compare trials by.
        TrainingError: Every trial failed.
        MissingPackage: The search or the runner needs a package that is not installed.

    Example::

        study = tuneloop.tune(recipe, store)
        better = tuneloop.tuned(recipe, study)
        tuneloop.evaluate(better, store)
    """
    from tuneloop.tuning.tune import Task
    from tuneloop.tuning.tune import tune as stage

    section = recipe.tune
    section.check_space()
    fixed = not any(path == "seed" or path.startswith("data.") for path in section.space)
    dataset = prepare(recipe, store, progress)
    _need_held_out(section.metric, dataset)
    context = {
        "recipe": {name: value for name, value in recipe.spelled().items() if name != "tune"},
        "folder": str(recipe.folder.absolute()),
        "store": str(store.root.absolute()),
        "dataset": dataset.id if fixed else None,
        "metric": section.metric,
        "sign": section.sign,
    }
    task = Task(
        section=section,
        score=attempt,
        context=context,
        key=_key(recipe, dataset),
        parents={"dataset": dataset.id},
        store=store,
        seed=recipe.seed,
        progress=progress,
    )
    study = stage(task)
    roles = Roles(store, recipe.name)
    roles.give("study", study, why="tune")
    for role, kind in (("run", Run), ("model", Model)):
        if role in study.parents:
            roles.give(role, store.get(kind, study.parents[role]), why="tune")
    return study


def _need_held_out(metric: str, dataset: Dataset) -> None:
    """Make sure that there are rows to compare trials by, if the metric is measured on some."""
    if (metric.startswith("validation/") or "/" not in metric) and "validation" not in dataset.splits:
        raise DataError(
            "there are no held-out rows to compare trials by",
            where=dataset.id,
            fix="set data.split.validation above 0 (more rows may be needed)",
        )


def tuned(recipe: Recipe, study: Study) -> Recipe:
    """The recipe with the values of a study's best trial.

    Args:
        recipe: The recipe that was searched.
        study: What the search came to.
    """
    return _changed(recipe.spelled(), recipe.folder, study.summary["best"]["values"])


def attempt(order: Order) -> Outcome:
    """Train one trial as far as it is to go, and say how good it is: the score function of a search.

    Args:
        order: The trial.

    Raises:
        Stopped: SIGTERM or Ctrl-C; the state is saved.
    """
    from tuneloop.training.interrupt import Stopped
    from tuneloop.tuning.trials import Outcome

    began = time.monotonic()
    given: dict[str, Any] = {"trial": order.trial, "share": order.share}
    try:
        recipe = _lean(_changed(order.context["recipe"], Path(order.context["folder"]), order.values), order)
    except RecipeError as error:  # these values do not go together
        return Outcome(**given, failure=error.problems[0].what)
    try:
        found = _attempted(recipe, order)
    except Stopped:
        raise
    except (StoreError, MissingPackage, RecipeError) as error:  # any other trial would meet it too
        problem = error.problems[0]
        fatal = (type(error).__name__, problem.what, problem.where, problem.fix)
        return Outcome(**given, failure=problem.what, fatal=fatal)
    except TuneloopError as error:
        left = _left(recipe, Store(order.context["store"]))
        return Outcome(**given, failure=error.problems[0].what, work=left, seconds=time.monotonic() - began)
    return Outcome(**given, **found, seconds=time.monotonic() - began)


def _attempted(recipe: Recipe, order: Order) -> dict[str, Any]:
    """What came of the training of a trial."""
    from tuneloop.training.interrupt import Paused

    context = order.context
    store = Store(context["store"])
    dataset = store.get(Dataset, context["dataset"]) if context["dataset"] else _prepared(recipe, store)
    try:
        run, model = trained(recipe, store, dataset=dataset, pause=order.share if order.share < 1 else None)
    except Paused as paused:
        history = History.read(paused.folder / "signals.jsonl")
        score = _figure(history, context["metric"])
        return {"score": score, "work": paused.folder.name, **_effort(history)}
    history = History(run.signals())
    metric = context["metric"]
    score = _figure(history, metric) if "/" in metric else _evaluated(recipe, store, dataset, run, model, metric)
    return {"score": score, "ended": True, "run": run.id, "model": model.id, **_effort(history)}


def _changed(values: Mapping[str, Any], folder: Path, changes: Mapping[str, Any]) -> Recipe:
    return load(values, [f"{path}={flow(value)}" for path, value in changes.items()]).at(folder)


def _lean(recipe: Recipe, order: Order) -> Recipe:
    """The recipe watched no closer than the score needs; what is learned does not depend on it."""
    if order.context["metric"] != _HELD_OUT and "/" in order.context["metric"]:
        return recipe
    return recipe.model_copy(update={"monitor": recipe.monitor.model_copy(update=_LEAN)}).at(recipe.folder)


def _left(recipe: Recipe, store: Store) -> str:
    """Name of the work folder that a training which failed has left, found by the recipe that is kept in it."""
    import yaml

    mine = recipe.spelled()
    for kept in (store.root / "work").glob("*/recipe.yaml"):
        if yaml.safe_load(kept.read_text(encoding="utf-8")) == mine:
            return kept.parent.name
    return ""


def _prepared(recipe: Recipe, store: Store) -> Dataset:
    """The dataset of a trial that has rows of its own; no ref is moved."""
    from tuneloop.data.prepare import prepare as stage

    return stage(recipe.data, store, seed=recipe.seed, folder=recipe.folder)


def _figure(history: History, metric: str) -> float:
    """A figure where the held-out loss is lowest, since those weights are kept; the newest one before it, if need be.

    Raises:
        RecipeError: It was never measured.
    """
    series = history.series(metric)
    if not series:
        known = [name for name in history.names if history.series(name)]
        near = get_close_matches(metric, known, n=1)
        raise RecipeError(
            f"no training of this recipe records `{metric}`",
            where="tune.metric",
            fix=f"did you mean `{near[0]}`?" if near else f"recorded are {', '.join(known)}",
        )
    losses = history.series(_HELD_OUT)
    kept = min(losses, key=lambda entry: (entry[1], entry[0]))[0] if losses else math.inf
    before = [value for step, value in series if step <= kept]
    return before[-1] if before else series[0][1]


def _evaluated(recipe: Recipe, store: Store, dataset: Dataset, run: Run, model: Model, metric: str) -> float:
    """A score of the evaluation on the validation split: the test split is not for choosing by.

    Raises:
        RecipeError: The evaluation does not measure it.
    """
    from tuneloop.evaluation.evaluate import evaluate as stage

    section = recipe.evaluate.model_copy(update=_SCORES_ALONE)
    report = stage(
        section,
        model=model,
        dataset=dataset,
        task=recipe.task,
        store=store,
        seed=recipe.seed,
        run=run,
        name=recipe.name,
    )
    scores = report.scores["tuned"]
    if metric not in scores:
        raise RecipeError(
            f"the evaluation of this recipe does not measure `{metric}`",
            where="tune.metric",
            fix=f"choose one of {', '.join(scores)}, or add it to evaluate.metrics",
        )
    return float(scores[metric]["mean"])


def _effort(history: History) -> dict[str, Any]:
    """Steps and passes over the rows that a training has made."""
    steps = history.series("train/loss")
    return {"steps": steps[-1][0] if steps else 0, "epochs": history.latest("train/epoch") or 0.0}


def _key(recipe: Recipe, dataset: Dataset) -> str:
    """Digest of what decides the trials of a search and their scores; how many there are does not."""
    recipe_ = {name: value for name, value in recipe.spelled().items() if name not in _ASIDE}
    section = recipe.tune.model_dump(mode="json", exclude={"trials", "workers", "runner", "keep"})
    measured = recipe.evaluate.model_dump(mode="json") if "/" not in recipe.tune.metric else None
    return of_value(["study", recipe_, section, measured, dataset.id])
