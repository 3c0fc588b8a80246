"""Learning on: the whole round of a recipe, and the next one from what people corrected."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from tuneloop.errors import DataError
from tuneloop.life.making import SILENT, evaluate, export, prepare, train
from tuneloop.life.releasing import promote, release
from tuneloop.monitoring.progress import Progress
from tuneloop.recipe import Recipe
from tuneloop.store import Bundle, Dataset, Model, Release, Report, Run, Store
from tuneloop.store.lineage import ancestors, fit
from tuneloop.store.roles import Roles


@dataclass(frozen=True)
class Life:
    """What one round of a recipe made."""

    dataset: Dataset
    run: Run
    model: Model
    report: Report
    release: Release
    bundle: Bundle | None = None


def collect(recipe: Recipe, store: Store, progress: Progress = SILENT) -> Dataset:
    """Turn the corrections that people gave into the next dataset version.

    Raises:
        DataError: There are fewer corrections than the recipe asks for.
    """
    from tuneloop.data.additions import place_additions
    from tuneloop.data.prepare import from_records
    from tuneloop.feedback.collect import collect as stage

    old = Roles(store, recipe.name).newest(prepare(recipe, store, progress))
    place = partial(place_additions, dataset=old, split=recipe.data.split, seed=recipe.seed)
    found = stage(recipe.feedback, dataset=old, store=store, sides=place)
    if not found.report["new"]:
        progress.note("there are no corrections that the dataset does not hold already")
        return old
    dataset = from_records(found.splits, store, parents={"dataset": old.id}, progress=progress, **found.making)
    Roles(store, recipe.name).give("dataset", dataset, why=f"collect: {found.report['new']} new")
    return dataset


def retrain(recipe: Recipe, store: Store, progress: Progress = SILENT) -> Life:
    """Learn from what people corrected: collect, go on from the champion with replay of old rows, evaluate, release.

    The result becomes the challenger; :func:`promote` makes it the champion.

    Raises:
        StoreError: There is no champion, or it learned from rows that were forgotten on request.
        DataError: There are too few corrections, the champion knows them all, or none stands in the training split.
    """
    from tuneloop.data.prepare import from_records
    from tuneloop.feedback.replay import replay

    start = store.model(f"{recipe.name}/champion")
    fit(store, start.id, "retrain")
    dataset = collect(recipe, store, progress)
    if any(manifest.id == dataset.id for manifest in ancestors(store, start.id)):
        fix = "serve it and send corrections to /feedback; a changed recipe is trained by tuneloop run"
        raise DataError("nothing was corrected since the champion was trained", where=start.id, fix=fix)
    chosen = replay(recipe.feedback, dataset=dataset, seed=recipe.seed)
    lesson = from_records(chosen.splits, store, parents={"dataset": dataset.id}, progress=progress, **chosen.making)
    run_, model = train(recipe, store, progress, dataset=lesson, start=start)
    report = evaluate(recipe, store, progress, model=model)
    bundle = export(recipe, store, progress, model=model) if recipe.export.to else None
    made = release(recipe, store, model=model, report=report, bundle=bundle, why="retrain", progress=progress)
    return Life(dataset, run_, model, report, made, bundle)


def run(recipe: Recipe, store: Store, progress: Progress = SILENT) -> Life:
    """Walk the whole life of a recipe, skipping what is already done; the first release becomes the champion.

    Raises:
        DataError: A source cannot be used, or there are no rows to evaluate on; it is told before any training.
    """
    from tuneloop.models import find_base

    find_base(recipe.model, folder=recipe.folder, store=store)
    recipe.task.others(folder=recipe.folder, store=store)
    dataset = prepare(recipe, store, progress)
    dataset.need(recipe.evaluate.split)
    model = Roles(store, recipe.name).newest(train(recipe, store, progress, dataset=dataset)[1])
    run_ = store.get(Run, model.parents["run"])
    report = evaluate(recipe, store, progress, model=model)
    bundle = export(recipe, store, progress, model=model) if recipe.export.to else None
    made = release(recipe, store, model=model, report=report, bundle=bundle, why="run", progress=progress)
    if f"{recipe.name}/champion" not in store.refs.all():
        promote(recipe, store, made.id, why="the first release", progress=progress)
    return Life(dataset, run_, model, report, made, bundle)
