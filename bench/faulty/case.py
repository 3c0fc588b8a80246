"""A case: everything that decides one training, before a recipe is made of it."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.faulty.rows import Row

if TYPE_CHECKING:
    from tuneloop.recipe import Recipe

During = Callable[["Case"], AbstractContextManager[None]]


@contextmanager
def undisturbed(case: Case) -> Iterator[None]:  # noqa: ARG001
    """Let the training be."""
    yield


@dataclass
class Case:
    """One training.

    Attributes:
        setting: Name of the healthy setting that it comes from.
        seed: Decides rows, settings and the run's own randomness.
        source: The pool that its rows come from, and whose clean rows it is measured on.
        base: Folder of the model, or ``embedded``.
        task: As in a recipe.
        rows: Rows of its file.
        options: Recipe paths and values.
        validation: ``None`` splits ``rows`` as the recipe says; else these rows are held out, and all of ``rows``
            are learned, as by a script that makes its splits by itself.
        template: A chat template to write beside the recipe.
        measured: The pool whose clean rows it is measured on, where that is not ``source``.
        during: What meddles with the training itself.
    """

    setting: str
    seed: int
    source: str
    base: str
    task: Any
    rows: list[Row]
    options: dict[str, Any] = field(default_factory=dict)
    validation: list[Row] | None = None
    template: str | None = None
    measured: str = ""
    during: During = undisturbed

    def with_(self, **options: Any) -> Case:
        """A copy with other options; two underscores stand for a dot."""
        other = copy.copy(self)
        other.rows = copy.deepcopy(self.rows)
        other.options = {**self.options, **{path.replace("__", "."): value for path, value in options.items()}}
        return other

    @property
    def rate_path(self) -> str:
        """The path of the learning rate."""
        return next(path for path in self.options if path.endswith("learning_rate"))

    @property
    def rate(self) -> float:
        """The learning rate."""
        return float(self.options[self.rate_path])

    @property
    def full(self) -> bool:
        """Whether all weights learn."""
        return self.options.get("train.adapter") == "full"

    def recipe(self, folder: Path, changes: tuple[str, ...] = ()) -> Recipe:
        """Write the rows (and the template) into a folder, and give the recipe.

        Args:
            folder: The folder.
            changes: Further changes, as ``--set`` takes them.

        Raises:
            RecipeError: A change is not valid.
        """
        import tuneloop

        write(folder / "rows.jsonl", self.rows)
        values = {
            "name": f"{self.setting}-{self.seed}",
            "seed": self.seed,
            "data": {"sources": [str(folder / "rows.jsonl")], "split": {"validation": 0.15, "test": 0.0}},
            "model": {"base": self.base},
            "task": self.task,
        }
        if self.template is not None:
            (folder / "template.jinja").write_text(self.template, encoding="utf-8")
            values["model"]["chat_template"] = str(folder / "template.jinja")
        own = [f"{path}={json.dumps(value, ensure_ascii=False)}" for path, value in self.options.items()]
        return tuneloop.load(values, [*own, *changes])


def write(path: Path, rows: list[Row]) -> None:
    """Write rows as JSON lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
