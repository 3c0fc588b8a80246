"""Making: raw rows become a dataset, a model, a report and a bundle."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tuneloop.monitoring.progress import Progress, Silent
from tuneloop.recipe import Recipe
from tuneloop.store import Bundle, Dataset, Model, Report, Run, Store
from tuneloop.store.roles import Roles

SILENT = Silent()
"""Shows nothing."""


def load(source: Path | str | Mapping[str, Any], changes: Sequence[str] = ()) -> Recipe:
    """Read a recipe from a YAML file or a mapping.

    Args:
        source: The file, or the recipe as plain values.
        changes: Changes in the form ``a.b=1``, as ``--set`` takes them.

    Raises:
        RecipeError: With every problem found, each with its place and its fix.

    Example:
        >>> load({"data": {"sources": ["faq.jsonl"]}, "model": {"base": "embedded"}}, ["seed=7"]).seed
        7
    """
    from tuneloop.recipe.load import load as read

    return read(source, changes)


def prepare(recipe: Recipe, store: Store, progress: Progress = SILENT, *, refresh: bool = False) -> Dataset:
    """Turn the recipe's raw rows into a dataset version; with ``refresh``, what lies elsewhere is fetched anew.

    Raises:
        DataError: A source is missing or holds nothing to learn from.
    """
    from tuneloop.data.prepare import prepare as stage

    dataset = stage(recipe.data, store, seed=recipe.seed, folder=recipe.folder, progress=progress, refresh=refresh)
    Roles(store, recipe.name).give("dataset", dataset, why="prepare")
    return dataset


def train(
    recipe: Recipe,
    store: Store,
    progress: Progress = SILENT,
    *,
    dataset: Dataset | None = None,
    start: Model | None = None,
    continue_from: str | None = None,
) -> tuple[Run, Model]:
    """Train the recipe's base model on a dataset.

    Args:
        recipe: The recipe.
        store: The store.
        progress: Takes what there is to show.
        dataset: What is learned; by default the recipe's own rows.
        start: A tuned model to go on from, instead of the untouched base.
        continue_from: A stopped run with other steps to go on from: ``latest``, or its work folder's name.

    Raises:
        ModelError: The base cannot be opened.
        TrainingError: There is nothing to learn from, or an option cannot act.
    """
    run, model = trained(recipe, store, progress, dataset=dataset, start=start, continue_from=continue_from)
    for role, made in (("run", run), ("model", model)):
        Roles(store, recipe.name).give(role, made, why="train")
    return run, model


def trained(
    recipe: Recipe,
    store: Store,
    progress: Progress = SILENT,
    *,
    dataset: Dataset | None = None,
    start: Model | None = None,
    continue_from: str | None = None,
    pause: float | None = None,
) -> tuple[Run, Model]:
    """Train as :func:`train` does, and move no ref: for attempts of which only the best is kept.

    With ``pause``, it pauses after that share of its steps, and the same call without it goes on from there.

    Raises:
        ModelError: The base cannot be opened.
        TrainingError: There is nothing to learn from, or an option cannot act.
        Paused: It came to where it is to pause.
    """
    from tuneloop.data.card.asked import overdue
    from tuneloop.models import find_base
    from tuneloop.monitoring.tracking import send_apart
    from tuneloop.training.train import train as stage

    dataset = dataset or prepare(recipe, store, progress)
    if over := overdue(dataset):
        progress.note(f"{over.evidence}; {over.advice}")
    began = time.time()
    run, model = stage(
        recipe.train,
        task=recipe.task,
        model=recipe.model,
        base=find_base(recipe.model, folder=recipe.folder, store=store),
        dataset=dataset,
        monitor=recipe.monitor.beside(recipe.folder),
        store=store,
        seed=recipe.seed,
        recipe=recipe.spelled(),
        start=start,
        continue_from=continue_from,
        pause=pause,
        others=recipe.task.others(folder=recipe.folder, store=store),
        progress=progress,
    )
    if run.manifest.created >= began:
        send_apart(store, run, recipe.monitor.trackers, progress)
    return run, model


def evaluate(
    recipe: Recipe,
    store: Store,
    progress: Progress = SILENT,
    *,
    model: Model | None = None,
    dataset: Dataset | None = None,
) -> Report:
    """Measure a model against its base, and against the champion, on held-out rows.

    Args:
        recipe: The recipe.
        store: The store.
        progress: Takes what there is to show.
        model: The model; by default the recipe's own, trained if need be.
        dataset: Where the held-out rows are; by default the dataset the model was trained on.

    Raises:
        DataError: The split that is measured has no rows.
        ModelError: A model cannot be opened, or its loss is not a number.
    """
    from tuneloop.evaluation.evaluate import evaluate as stage
    from tuneloop.life.measuring import given

    model = model or own_model(recipe, store, progress)
    dataset = dataset or store.get(Dataset, model.parents["dataset"])
    run = store.get(Run, model.parents["run"]) if "run" in model.parents else None
    report = stage(
        recipe.evaluate,
        model=model,
        dataset=dataset,
        task=recipe.task,
        store=store,
        seed=recipe.seed,
        run=run,
        name=recipe.name,
        given=given(recipe, store, model, dataset, progress),
        progress=progress,
    )
    Roles(store, recipe.name).give("report", report, why="evaluate")
    return report


def export(recipe: Recipe, store: Store, progress: Progress = SILENT, *, model: Model | None = None) -> Bundle:
    """Write a model in the forms that the recipe asks for, each checked against the original.

    Raises:
        ModelError: A written form does not answer like the original.
    """
    from tuneloop.exporting.export import export as stage

    model = model or own_model(recipe, store, progress)
    bundle = stage(recipe.export, model=model, store=store, progress=progress)
    Roles(store, recipe.name).give("bundle", bundle, why="export")
    return bundle


def own_model(recipe: Recipe, store: Store, progress: Progress) -> Model:
    """The recipe's own model, trained if need be; where it was retrained since, the newest that came of it."""
    return Roles(store, recipe.name).newest(train(recipe, store, progress)[1])
