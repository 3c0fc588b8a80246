"""Finding: one option of a recipe from short trials on its own rows, of which nothing is kept."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tuneloop.life.making import SILENT, load, prepare
from tuneloop.monitoring.progress import Progress
from tuneloop.recipe import Recipe
from tuneloop.store import Dataset, Store

if TYPE_CHECKING:
    from tuneloop.training.finders.asked import Asked
    from tuneloop.training.finders.batch import Batch
    from tuneloop.training.finders.rank import Rank
    from tuneloop.training.finders.rate import Rate


def find_rate(
    recipe: Recipe,
    store: Store,
    progress: Progress = SILENT,
    *,
    dataset: Dataset | None = None,
    sweep: int = 100,
    steps: int = 50,
) -> Rate:
    """Find a learning rate: a range test, then short runs at the rates that it leaves in question.

    Args:
        recipe: The recipe.
        store: The store.
        progress: Takes what there is to show.
        dataset: The rows; by default the recipe's own.
        sweep: Steps of the range test.
        steps: Steps of each short run; 0 trusts the range test alone.

    Raises:
        ModelError: The base cannot be opened.
        TrainingError: There is nothing to learn or to measure, or an option cannot act.
    """
    from tuneloop.training.finders.rate import find_rate as find

    return find(_asked(recipe, store, progress, dataset), sweep=sweep, steps=steps)


def find_batch(
    recipe: Recipe,
    store: Store,
    progress: Progress = SILENT,
    *,
    dataset: Dataset | None = None,
    scale: Literal["linear", "sqrt"] | None = None,
) -> Batch:
    """Find how many rows go through the model at once: the most that fit, and the fewest that are as fast.

    Args:
        recipe: The recipe.
        store: The store.
        progress: Takes what there is to show.
        dataset: The rows; by default the recipe's own.
        scale: Let the step grow to the fastest size too, and the learning rate with it by this rule.

    Raises:
        ModelError: The base cannot be opened.
        TrainingError: There is nothing to learn, or an option cannot act.
    """
    from tuneloop.training.finders.batch import find_batch as find

    return find(_asked(recipe, store, progress, dataset), scale=scale)


def find_rank(
    recipe: Recipe,
    store: Store,
    progress: Progress = SILENT,
    *,
    dataset: Dataset | None = None,
    steps: int = 100,
    budget: int | None = None,
) -> Rank:
    """Find rank and target layers of LoRA: short runs at several ranks, compared by held-out loss.

    Args:
        recipe: The recipe.
        store: The store.
        progress: Takes what there is to show.
        dataset: The rows; by default the recipe's own.
        steps: Steps of each short run.
        budget: Trained parameters at most; by default there is no bound.

    Raises:
        ModelError: The base cannot be opened.
        TrainingError: There is nothing to learn or to measure, or the budget is too small.
    """
    from tuneloop.training.finders.rank import find_rank as find

    return find(_asked(recipe, store, progress, dataset), steps=steps, budget=budget)


def _asked(recipe: Recipe, store: Store, progress: Progress, dataset: Dataset | None) -> Asked:
    from tuneloop.models import find_base
    from tuneloop.training.finders.asked import Asked

    return Asked(
        recipe.train,
        task=recipe.task,
        model=recipe.model,
        base=find_base(recipe.model, folder=recipe.folder, store=store),
        dataset=dataset or prepare(recipe, store, progress),
        store=store,
        seed=recipe.seed,
        others=recipe.task.others(folder=recipe.folder, store=store),
        progress=progress,
    )


def write_changed(source: Path, changes: Sequence[str], target: Path) -> Path:
    """Write a recipe with changes made, as a new file beside the old one; its comments are not carried over.

    Args:
        source: The recipe's file.
        changes: Changes in the form ``a.b=1``.
        target: The new file.

    Raises:
        RecipeError: The changed recipe is wrong, or the file is there already or in another folder.
    """
    import yaml

    from tuneloop.errors import RecipeError
    from tuneloop.recipe import changes as changing
    from tuneloop.recipe import written
    from tuneloop.store.disk import writing

    if target.exists() or target.absolute().parent != source.absolute().parent:
        what = "is there already" if target.exists() else "is in another folder, where its paths would lead elsewhere"
        fix = f"name a new file beside the recipe, such as {source.with_name(f'{source.stem}-found.yaml')}"
        raise RecipeError(f"{target} {what}", where=str(target), fix=fix)
    load(source, changes)
    read = written.read(source)
    changing.apply(read, changes)
    text: str = yaml.dump(read.value, Dumper=written.Dumper, sort_keys=False, allow_unicode=True, width=100)
    with writing(target):
        target.write_text(text, encoding="utf-8")
    return target
