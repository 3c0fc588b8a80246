"""Improving: train, look, change one thing, train again, until it is good enough or rows are what is missing."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tuneloop.errors import DataError, RecipeError, TrainingError
from tuneloop.life.making import SILENT, load, prepare, trained
from tuneloop.monitoring.history import History
from tuneloop.monitoring.progress import Progress
from tuneloop.monitoring.row_losses import RowLosses, path_of
from tuneloop.recipe import Recipe
from tuneloop.rows import jsonl
from tuneloop.store import Dataset, Model, Run, Store
from tuneloop.store.digest import of_value
from tuneloop.store.roles import Roles

if TYPE_CHECKING:
    from tuneloop.improving.difference import Losses
    from tuneloop.improving.improve import Ending
    from tuneloop.improving.story import Outcome


@dataclass(frozen=True)
class Improved:
    """What an improvement made.

    Attributes:
        run: The best run.
        model: Its model.
        recipe: The recipe that made it.
        ending: Everything that was tried, and why it ended.
        journal: Folder with ``journal.md`` and ``journal.json``.
    """

    run: Run
    model: Model
    recipe: Recipe
    ending: Ending
    journal: Path


def improve(recipe: Recipe, store: Store, progress: Progress = SILENT, *, dataset: Dataset | None = None) -> Improved:
    """Train a recipe, and go on changing it by what its runs show, within the budget of its ``improve`` section.

    The held-out rows decide, the same for every attempt, row by row. The best attempt becomes ``<name>/run`` and
    ``<name>/model``. What was trained before is found in the store, so an improvement that was killed goes on.

    Args:
        recipe: The recipe to begin with.
        store: The store.
        progress: Told of every decision.
        dataset: The rows, fixed: nothing that would change them is tried; by default the recipe's own.

    Raises:
        DataError: There are no held-out rows to judge by.
        TrainingError: No attempt succeeded.
    """
    from tuneloop.improving import journal as diary
    from tuneloop.improving.improve import improve as stage

    rows = dataset or prepare(recipe, store, progress)
    if "validation" not in rows.splits:
        fix = "set data.split.validation above 0"
        raise DataError("there are no held-out rows to judge an attempt by", where=rows.id, fix=fix)
    folder = store.root / "journals" / f"{recipe.name}-{of_value([recipe.spelled(), rows.id])[:8]}"
    attempt = partial(_attempt, recipe, store, progress, dataset)
    ending = stage(
        recipe.improve,
        attempt,
        half=partial(_half, recipe, store, progress, dataset),
        sources=_nearest(recipe, rows, store, progress) if dataset is None else (),
        data=dataset is None,
        journal=partial(diary.write, folder),
        progress=progress,
    )
    best = ending.story.leading
    if not best.run:
        raise TrainingError(
            f"none of {len(ending.story.attempts)} attempts could be trained; the first failed: {best.failed}",
            where=str(folder / "journal.md"),
            fix="mend what it names; tuneloop diagnose tells more of a run that broke off",
        )
    run, model = store.get(Run, best.run), store.get(Model, best.model)
    for role, made in (("dataset", store.get(Dataset, run.parents["dataset"])), ("run", run), ("model", model)):
        Roles(store, recipe.name).give(role, made, why=f"improve: attempt {best.number}")
    return Improved(run, model, _changed(recipe, best.changes), ending, folder)


def of_run(run: Run, folder: Path, changes: tuple[str, ...] = ()) -> Recipe:
    """The recipe that made a run, with paths that start from a folder."""
    import yaml

    written = yaml.safe_load((run.folder / "recipe.yaml").read_text(encoding="utf-8"))
    return load(written, changes).at(folder)


def _changed(recipe: Recipe, changes: Mapping[str, str]) -> Recipe:
    return load(recipe.spelled(), [f"{path}={value}" for path, value in changes.items()]).at(recipe.folder)


def _attempt(
    recipe: Recipe, store: Store, progress: Progress, dataset: Dataset | None, changes: Mapping[str, str]
) -> Outcome:
    """Train with changes; what cannot be trained is an outcome too.

    The recipe as it is written must be one that can be trained; that its steps throw the model off is mended, too.
    """
    from tuneloop.improving.story import Outcome
    from tuneloop.training.signals.failure import NotFinite

    began, changed = time.monotonic(), recipe
    try:
        changed = _changed(recipe, changes)
        run, model = trained(changed, store, progress, dataset=dataset)
    except (RecipeError, TrainingError, DataError) as error:
        if not changes and not (isinstance(error, NotFinite) and error.step):
            raise
        failed = "; ".join(problem.what for problem in error.problems)
        return Outcome(History(recipe=changed.spelled()), failed=failed, seconds=time.monotonic() - began)
    return Outcome(
        History.of_run(run.folder),
        findings=list(run.findings()),
        rows=_held_out(run, store),
        run=run.id,
        model=model.id,
        seconds=time.monotonic() - began,
    )


def _nearest(recipe: Recipe, rows: Dataset, store: Store, progress: Progress) -> tuple[str, ...]:
    """The sources that may be added, those whose words are most like the held-out rows' first."""
    from tuneloop.data.likeness import likeness
    from tuneloop.data.prepare import prepare as stage

    near: dict[str, float] = {}
    for path in recipe.improve.sources:
        alone = load(recipe.spelled(), [f"data.sources={json.dumps([path])}", "data.split.like=null"]).data
        offered = stage(alone, store, seed=recipe.seed, folder=recipe.folder, progress=progress)
        near[path] = likeness(offered.records("train"), rows.records("validation"))
        progress.note(f"{path}: {near[path]:.2f} of 1 near the held-out rows, by their words")
    return tuple(sorted(near, key=lambda path: -near[path]))


def _half(
    recipe: Recipe, store: Store, progress: Progress, dataset: Dataset | None, changes: Mapping[str, str]
) -> Outcome:
    """Train with changes on half of the training rows, drawn with the recipe's seed; all held-out rows stay."""
    from tuneloop.data.prepare import from_records

    rows = dataset or prepare(_changed(recipe, changes), store, progress)
    train = list(rows.records("train"))
    kept = set(random.Random(recipe.seed).sample(range(len(train)), max(1, len(train) // 2)))
    splits = {name: list(rows.records(name)) for name in rows.splits}
    splits["train"] = [record for index, record in enumerate(train) if index in kept]
    halved = from_records(
        splits,
        store,
        parents={"dataset": rows.id},
        key=of_value(["half", rows.id, recipe.seed]),
        report={"left_out": len(train) - len(kept)},
        progress=progress,
    )
    progress.note(f"the same recipe with {len(kept):,} of {len(train):,} training rows: are rows what is missing?")
    return _attempt(recipe, store, progress, halved, changes)


def _held_out(run: Run, store: Store) -> Losses:
    """Losses of the held-out rows under the model that was kept, by the id of their content."""
    losses = RowLosses.read(path_of(run.folder, "validation"))
    if losses is None:
        return {}
    gone = {drop["origin"] for drop in jsonl.read(run.folder / "dropped.jsonl", dict) if drop["split"] == "validation"}
    rows = store.get(Dataset, run.parents["dataset"]).records("validation")
    names = [record.id for record in rows if record.origin not in gone]
    kept = losses.entries[losses.step == run.facts["best_step"]]
    if len(kept) != len(names):  # rows were joined or split on their way to the model
        return {}
    return {names[each["row"]]: (float(each["loss"]), int(each["terms"])) for each in kept}
