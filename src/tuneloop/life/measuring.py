"""Measuring: what a model is compared with, gates that it must pass, and several models side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tuneloop.errors import DataError, ModelError, StoreError
from tuneloop.evaluation.given import Given
from tuneloop.evaluation.section import EvaluateSection
from tuneloop.monitoring.progress import Progress, Silent
from tuneloop.recipe import Recipe
from tuneloop.rows import Record
from tuneloop.store import Dataset, Model, Report, Store
from tuneloop.store.digest import of_file

if TYPE_CHECKING:
    from tuneloop.evaluation.gates.passing import Passed

CHAMPION = "champion"


@dataclass(frozen=True)
class Comparison:
    """Several models on the same rows.

    Attributes:
        told: Everything the page says, as plain values.
        page: The page: one HTML file.
    """

    told: dict[str, Any]
    page: str


def given(recipe: Recipe, store: Store, model: Model, dataset: Dataset, progress: Progress) -> Given:
    """Find what a report speaks of beside its own model: others on the same rows, and rows that must stay right.

    Raises:
        DataError: The rows that must stay right cannot be read.
        ModelError: Another model cannot be opened.
        StoreError: A model to compare with is not there; that there is no champion is no error.
    """
    rows = _regression(recipe)
    alone = recipe.evaluate.model_copy(update=_ALONE)
    against: dict[str, Report] = {}
    for name in dict.fromkeys(recipe.evaluate.against):
        other = _champion(recipe, store, model) if name == CHAMPION else store.model(name)
        if other is None or other.id == model.id:
            continue
        if set(other.facts["task"]) != set(recipe.task.spelled()):
            progress.note(f"{name} learned {next(iter(other.facts['task']))}, so it is not compared with")
            continue
        progress.note(f"the same rows with {name} ({other.id})")
        try:
            against[name] = _measured(recipe, store, alone, other, dataset, rows, progress)
        except ModelError as error:
            if name != CHAMPION:
                raise
            progress.note(f"the champion cannot be opened, so it is not compared with: {error.problems[0].what}")
    return Given(against, rows, recipe.folder, _files(recipe))


def gates(recipe: Recipe, report: Report) -> list[Passed]:
    """Hold a report against the gates of a recipe.

    Raises:
        DataError: A gate names a figure that the report does not have.
    """
    from tuneloop.evaluation.gates.passing import passed

    return passed(recipe.evaluate.gates, report, seed=recipe.seed)


def compare(
    recipe: Recipe,
    store: Store,
    names: Sequence[str],
    progress: Progress | None = None,
    *,
    dataset: Dataset | None = None,
) -> Comparison:
    """Lay several models side by side, on the same rows: scores, what is more than chance, and where they differ.

    Args:
        recipe: Says on what and how is measured.
        store: The store.
        names: Refs or ids of models or releases, the first one being what the others are compared with.
        progress: Takes what there is to show.
        dataset: Where the rows are; by default the dataset that the first model was trained on.

    Raises:
        DataError: There are fewer than two models, or the split that is measured has no rows.
        ModelError: A model cannot be opened.
        StoreError: Nothing, or more than one thing, has one of the names.
    """
    from tuneloop.evaluation.comparison import compare as stage

    progress = progress or Silent()
    models = {name: store.model(name) for name in dict.fromkeys(names)}
    if len({model.id for model in models.values()}) < 2:
        raise DataError(
            f"{', '.join(names)} is one model", where="compare", fix="name two or more: tuneloop runs lists them"
        )
    first = next(iter(models.values()))
    dataset = dataset or store.get(Dataset, first.parents["dataset"])
    alone, rows = recipe.evaluate.model_copy(update=_ALONE), _regression(recipe)
    reports = {name: _measured(recipe, store, alone, model, dataset, rows, progress) for name, model in models.items()}
    told, page = stage(reports, store=store, seed=recipe.seed, name=recipe.name)
    return Comparison(told, page)


_ALONE: dict[str, Any] = {"baseline": False, "against": [], "judge": None, "benchmarks": [], "gates": []}
"""How a model is measured that others are compared with: by itself."""


def _measured(
    recipe: Recipe,
    store: Store,
    section: EvaluateSection,
    model: Model,
    dataset: Dataset,
    rows: Sequence[Record],
    progress: Progress,
) -> Report:
    from tuneloop.evaluation.evaluate import evaluate as stage

    return stage(
        section,
        model=model,
        dataset=dataset,
        task=recipe.task,
        store=store,
        seed=recipe.seed,
        given=Given(regression=rows),
        progress=progress,
    )


def _champion(recipe: Recipe, store: Store, model: Model) -> Model | None:
    """The recipe's champion; where the model is that itself, the one before it. None where there is none."""
    name = f"{recipe.name}/{CHAMPION}"
    if name not in store.refs.all():
        return None
    champion = store.model(name)
    if champion.id != model.id:
        return champion
    try:
        return store.model(store.refs.before(name))
    except StoreError:
        return None


def _regression(recipe: Recipe) -> list[Record]:
    """The rows that must stay right.

    Raises:
        DataError: They cannot be read.
    """
    if not recipe.evaluate.regression:
        return []
    from tuneloop.data.glance import rows_of
    from tuneloop.data.section import Source

    return rows_of(Source(path=recipe.evaluate.regression), recipe.folder)


def _files(recipe: Recipe) -> dict[str, str]:
    """Digests of the files that decide what benchmarks say."""
    found = [path for benchmark in recipe.evaluate.benchmarks for path in benchmark.files(recipe.folder)]
    return {str(path): of_file(path) for path in found}
