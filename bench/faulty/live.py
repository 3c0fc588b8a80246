"""Live one case: train it, keep what the run wrote, look at it, and measure its model on clean rows."""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.faulty.case import Case, write
from bench.faulty.rows import clean

if TYPE_CHECKING:
    from tuneloop.recipe import Recipe
    from tuneloop.rows import Record
    from tuneloop.store import Dataset, Model, Store

KEPT = ("signals.jsonl", "findings.jsonl", "recipe.yaml", "samples.jsonl", "rows.json", "receipts.json")
"""Files of a run that are kept, besides the losses of single rows."""


class Notes:
    """Progress that keeps what a person is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def start(self, what: str, total: int | None = None) -> None:
        """Ignore it."""

    def advance(self, done: int, figures: Mapping[str, float] | None = None) -> None:
        """Ignore it."""

    def note(self, text: str) -> None:
        """Keep it."""
        self.told.append(text)


@dataclass
class Lived:
    """What came of a training.

    Attributes:
        loss: Loss of the kept model on clean rows, in nats per learned term; None where there is no model.
        error: What the product refused it with.
        notes: What it told meanwhile.
        seconds: How long the training took.
    """

    loss: float | None = None
    error: str = ""
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0


def live(case: Case, folder: Path, changes: Sequence[str] = ()) -> Lived:
    """Train a case in a folder of its own.

    Args:
        case: The case.
        folder: Gets everything that the run wrote; what was there is removed.
        changes: Changes of the recipe, as ``--set`` takes them.

    Returns:
        What came of it, also kept in ``lived.json``.
    """
    import tuneloop
    from tuneloop.errors import TuneloopError

    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    store, notes, lived = tuneloop.Store(folder / "store"), Notes(), Lived()
    began = time.perf_counter()
    try:
        recipe = case.recipe(folder, tuple(changes))
        dataset = _dataset(case, recipe, store, notes, split=any(change.startswith("data.") for change in changes))
        _keep_origins(dataset, folder)
        with case.during(case):
            run, model = tuneloop.train(recipe, store, notes, dataset=dataset)
        lived.seconds = time.perf_counter() - began
        _keep(run.folder, folder)
        lived.loss = measure(case, recipe, model, store)
    except TuneloopError as error:
        lived.error = str(error)
        for work in (folder / "store" / "work").glob("*/"):
            _keep(work, folder)
    lived.seconds = lived.seconds or time.perf_counter() - began
    lived.notes = notes.told
    shutil.rmtree(folder / "store", ignore_errors=True)
    (folder / "lived.json").write_text(json.dumps(lived.__dict__, ensure_ascii=False, indent=1), encoding="utf-8")
    return lived


def lived_before(folder: Path) -> Lived | None:
    """What :func:`live` kept in a folder; None where nothing is."""
    file = folder / "lived.json"
    return Lived(**json.loads(file.read_text(encoding="utf-8"))) if file.exists() else None


def _dataset(case: Case, recipe: Recipe, store: Store, notes: Notes, *, split: bool) -> Dataset:
    """The recipe's dataset; where the case holds rows out by itself, of exactly those, unless it shall ``split``."""
    import tuneloop
    from tuneloop.data.prepare import from_records

    if case.validation is None or split:
        return tuneloop.prepare(recipe, store, notes)
    learned = _records(case.rows, store, "train")
    held = _records(case.validation, store, "validation")
    splits = {"train": learned, "validation": held}
    return from_records(splits, store, parents={}, key=f"{recipe.name}-given", report={}, progress=notes)


def _records(rows: list[dict[str, Any]], store: Store, name: str) -> list[Record]:
    """The records that rows become, all of them and unchanged."""
    import tuneloop

    file = store.root.parent / f"{name}.jsonl"
    write(file, rows)
    data = {"sources": [str(file)], "split": {"validation": 0, "test": 0, "near": None}, "transforms": []}
    recipe = tuneloop.load({"name": "clean", "data": data, "model": {"base": "embedded"}})
    return list(tuneloop.prepare(recipe, store).records("train"))


def _keep_origins(dataset: Dataset, folder: Path) -> None:
    """Write where the records of each split came from, in the order in which they are encoded."""
    splits = ("train", "validation")
    origins = {split: [[record.id, record.origin] for record in dataset.records(split)] for split in splits}
    (folder / "origins.json").write_text(json.dumps(origins, ensure_ascii=False), encoding="utf-8")


def _keep(source: Path, folder: Path) -> None:
    """Copy what a run wrote."""
    for path in source.iterdir():
        if path.is_file() and (path.name in KEPT or path.suffix == ".bin"):
            shutil.copyfile(path, folder / path.name)


def measure(case: Case, recipe: Recipe, model: Model, store: Store) -> float:
    """Loss of a model on the clean rows of its case.

    Args:
        case: The case.
        recipe: The recipe it was trained with.
        model: The model.
        store: Where it is.

    Returns:
        Nats per learned term; infinite where the model's losses are not finite.
    """
    from tuneloop.errors import ModelError
    from tuneloop.evaluation.loss import held_out, said_before
    from tuneloop.models import open_model
    from tuneloop.models.generate import context_length

    records = _records(clean(case.measured or case.source), store, "clean")
    loaded = open_model(model, store)
    length = min(recipe.train.max_length, context_length(loaded) or recipe.train.max_length)
    task = recipe.task.fitted(records, model.facts)
    reference = None
    if task.reference() is not None:
        before = open_model(model, store, adapter=False)
        reference = said_before(before, records, task, length, Notes())
    try:
        return held_out(loaded, records, task, length, Notes(), reference=reference).loss
    except ModelError:
        return math.inf
