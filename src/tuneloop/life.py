"""The whole life on one page: each act takes its section, finds its artifacts, calls its stage, moves a ref.

::

    prepare   raw rows           -> Dataset   <name>/dataset
    train     Dataset + base     -> Run, Model  <name>/run, <name>/model
    evaluate  Model + Dataset    -> Report    <name>/report
    export    Model              -> Bundle    <name>/bundle
    release   Model + Report     -> Release   <name>/challenger
    promote   Release            -> <name>/champion          rollback: one move back
    serve     <name>/champion    -> Exchanges and Feedback
    collect   Feedback + Dataset -> Dataset   <name>/dataset
    retrain   Dataset + champion -> Release   <name>/challenger

What was done before with the same inputs is found in the store and costs nothing. ``progress`` is told how far it is.

Example::

    recipe, store = tuneloop.load("faq.yaml"), tuneloop.Store()
    dataset = tuneloop.prepare(recipe, store)
    run, model = tuneloop.train(recipe, store)
    report, bundle = tuneloop.evaluate(recipe, store), tuneloop.export(recipe, store)
    release = tuneloop.release(recipe, store)
    tuneloop.promote(recipe, store, why="better than the base")
    tuneloop.serve(recipe, store, ready=print)  # until Ctrl-C
    life = tuneloop.retrain(recipe, store)  # collect, train, evaluate, export, release
    tuneloop.rollback(recipe, store)
    tuneloop.lineage(store, "chatcmpl-...").sources

``docs/api.md`` tells more of each; a test runs it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from tuneloop.errors import DataError, StoreError
from tuneloop.monitoring.progress import Progress, Silent
from tuneloop.recipe import Recipe
from tuneloop.store import Bundle, Dataset, Model, Move, Release, Report, Run, Store
from tuneloop.store.digest import of_value
from tuneloop.store.lineage import ancestors, fit
from tuneloop.store.roles import Roles

if TYPE_CHECKING:
    from tuneloop.models.session import Session
    from tuneloop.store.trace import Trace

SILENT = Silent()
"""Shows nothing."""


@dataclass(frozen=True)
class Life:
    """What one round of a recipe made."""

    dataset: Dataset
    run: Run
    model: Model
    report: Report
    release: Release
    bundle: Bundle | None = None


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
    from tuneloop.data.card.asked import overdue
    from tuneloop.models import find_base
    from tuneloop.training.train import train as stage

    dataset = dataset or prepare(recipe, store, progress)
    if over := overdue(dataset):
        progress.note(f"{over.evidence}; {over.advice}")
    run, model = stage(
        recipe.train,
        task=recipe.task,
        model=recipe.model,
        base=find_base(recipe.model, folder=recipe.folder, store=store),
        dataset=dataset,
        monitor=recipe.monitor,
        store=store,
        seed=recipe.seed,
        recipe=recipe.spelled(),
        start=start,
        continue_from=continue_from,
        others=recipe.task.others(folder=recipe.folder, store=store),
        progress=progress,
    )
    for role, made in (("run", run), ("model", model)):
        Roles(store, recipe.name).give(role, made, why="train")
    return run, model


def evaluate(
    recipe: Recipe,
    store: Store,
    progress: Progress = SILENT,
    *,
    model: Model | None = None,
    dataset: Dataset | None = None,
) -> Report:
    """Measure a model against its base on held-out rows.

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

    model = model or _model(recipe, store, progress)
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

    model = model or _model(recipe, store, progress)
    bundle = stage(recipe.export, model=model, store=store, progress=progress)
    Roles(store, recipe.name).give("bundle", bundle, why="export")
    return bundle


def release(
    recipe: Recipe,
    store: Store,
    *,
    model: Model | None = None,
    report: Report | None = None,
    bundle: Bundle | None = None,
    why: str = "release",
) -> Release:
    """Declare a model fit to be served, with the report and bundle that speak for it; it becomes the challenger.

    Args:
        recipe: The recipe.
        store: The store.
        model: The model; by default the recipe's latest.
        report: Its report; by default the latest one, if it is of this model.
        bundle: Its bundle; by default the latest one, if it is of this model.
        why: The reason, kept in the ref's log.

    Raises:
        StoreError: There is no model, it is damaged, or it learned from rows that were forgotten on request.
    """
    roles = Roles(store, recipe.name)
    model = model or store.get(Model, f"{recipe.name}/model")
    fit(store, model.id, "release")
    report = report or roles.of_model(Report, model)
    bundle = bundle or roles.of_model(Bundle, model)
    parts = {"model": model, "report": report, "bundle": bundle}
    parents = {role: artifact.id for role, artifact in parts.items() if artifact is not None}
    key = of_value(["release", parents])
    made = store.find(Release, key)
    if made is None:
        scores = report.scores if report else {}
        with store.draft() as folder:
            body = {"name": recipe.name, "parents": parents, "scores": scores}
            (folder / "release.json").write_bytes(msgspec.json.format(msgspec.json.encode(body), indent=2) + b"\n")
            made = store.seal(Release, folder, parents=parents, key=key, facts={"name": recipe.name})
    roles.give("challenger", made, why=why)
    return made


def promote(recipe: Recipe | str, store: Store, what: str | None = None, *, why: str = "promote") -> Move:
    """Make a release (or a model) the champion: the one that is served.

    Args:
        recipe: The recipe, or its name.
        store: The store.
        what: The release's or model's name or id; by default the challenger.
        why: The reason, kept in the ref's log.

    Raises:
        StoreError: There is no such release, it is damaged, or it learned from rows that were forgotten on request.
    """
    name = recipe if isinstance(recipe, str) else recipe.name
    chosen = store.open(what or f"{name}/challenger")
    if not isinstance(chosen, (Release, Model)):
        raise StoreError(f"{chosen.id} is a {chosen.kind}", where="promote", fix="name a release or a model")
    fit(store, chosen.id, "promote")
    return store.refs.move(f"{name}/champion", chosen.id, why=why)


def rollback(recipe: Recipe | str, store: Store, *, why: str = "") -> Move:
    """Give the championship back to who had it before.

    Raises:
        StoreError: There was no earlier champion, or it is not fit to be served any more.
    """
    name = recipe if isinstance(recipe, str) else recipe.name
    fit(store, store.refs.before(f"{name}/champion"), "rollback")
    return store.refs.rollback(f"{name}/champion", why=f"rollback: {why}" if why else "rollback")


def serve(recipe: Recipe, store: Store, name: str | None = None, ready: Callable[[str], None] | None = None) -> None:
    """Serve the champion until the process is told to stop.

    Args:
        recipe: The recipe, for its ``serve`` section.
        store: The store.
        name: Ref, release or model to serve instead of the champion.
        ready: Called with the address once requests are taken.

    Raises:
        ServeError: The port is taken, or keys are missing for an address beyond this machine.
    """
    from tuneloop.serving.serve import serve as stage

    stage(recipe.serve, ref=name or f"{recipe.name}/champion", store=store, folder=recipe.folder, ready=ready)


def chat(store: Store, name: str = "champion") -> Session:
    """Open a model for a conversation.

    Args:
        store: The store.
        name: Ref or id of a release or model.

    Raises:
        StoreError: Nothing, or more than one thing, has that name.
    """
    from tuneloop.models import open_model
    from tuneloop.models.session import Session

    return Session(open_model(store.model(name), store))


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
    made = release(recipe, store, model=model, report=report, bundle=bundle, why="retrain")
    return Life(dataset, run_, model, report, made, bundle)


def lineage(store: Store, name: str) -> Trace:
    """Follow a served answer, or any artifact, back to release, model, run, dataset and source rows.

    Args:
        store: The store.
        name: The id of an answer as the client saw it, or a ref or id of an artifact.

    Raises:
        StoreError: Nothing has that name.
    """
    from tuneloop.store.trace import trace

    return trace(store, name)


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
    made = release(recipe, store, model=model, report=report, bundle=bundle, why="run")
    if f"{recipe.name}/champion" not in store.refs.all():
        promote(recipe, store, made.id, why="the first release")
    return Life(dataset, run_, model, report, made, bundle)


def _model(recipe: Recipe, store: Store, progress: Progress) -> Model:
    """The recipe's own model, trained if need be; where it was retrained since, the newest that came of it."""
    return Roles(store, recipe.name).newest(train(recipe, store, progress)[1])
