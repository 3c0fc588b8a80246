"""A job: everything that decides what comes out of a training, in memory and as JSON for another process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from tuneloop.models import Base
from tuneloop.models.section import ModelSection
from tuneloop.monitoring.section import MonitorSection
from tuneloop.parts import OneOf, Section
from tuneloop.store import Dataset, Model, Run, Store
from tuneloop.store.digest import of_value
from tuneloop.tasks import Task
from tuneloop.training.section import TrainSection

UNCHANGING: Any = {
    "devices": True,
    "parallel": True,
    "batch": {"per_device_train_batch_size", "auto_find_batch_size", "gradient_checkpointing"},
}
"""Options of the ``train`` section that share the work out in other ways; the result is the same up to rounding."""


class _Sections(Section):
    task: OneOf[Task]
    model: ModelSection
    train: TrainSection
    monitor: MonitorSection


@dataclass(frozen=True)
class Job:
    """One training that is asked for.

    Attributes:
        train: The ``train`` section.
        task: What is learned.
        model: The ``model`` section.
        base: The base model that it names.
        dataset: Rows to learn from, and to be measured on.
        monitor: The ``monitor`` section.
        store: Where the artifacts and the work in progress lie.
        seed: Seed of everything random.
        recipe: The resolved recipe, kept with the run.
        start: A tuned model to go on from, instead of the base alone.
        others: Other models that the task learns with, by their role.
        continues: Key of the stopped run that it goes on from; empty where it begins anew.
        pause: Share of its steps after which it pauses with its state saved; None where it does not.
    """

    train: TrainSection
    task: Task
    model: ModelSection
    base: Base
    dataset: Dataset
    monitor: MonitorSection
    store: Store
    seed: int
    recipe: dict[str, Any]
    start: Model | None = None
    others: Mapping[str, Base] = field(default_factory=dict)
    continues: str = ""
    pause: float | None = None

    @property
    def asked(self) -> dict[str, Any]:
        """What decides the result, as plain values."""
        return {
            "dataset": self.dataset.id,
            "base": self.base.digest,
            "start": self.start.id if self.start else None,
            "model": self.model.model_dump(mode="json"),
            "task": self.task.spelled(),
            "train": self.train.model_dump(mode="json", exclude=UNCHANGING),
            "seed": self.seed,
            **({"others": {role: other.digest for role, other in self.others.items()}} if self.others else {}),
            **({"continues": self.continues} if self.continues else {}),
        }

    @property
    def key(self) -> str:
        """Digest of what decides the result; the work folder is named by it."""
        return of_value(self.asked)

    @property
    def parents(self) -> dict[str, str]:
        """Ids of the artifacts that it stands on, by role."""
        besides = {role: other.artifact for role, other in self.others.items()}
        roles = {"dataset": self.dataset, "start": self.start, "base": self.base.artifact, **besides}
        return {role: artifact.id for role, artifact in roles.items() if artifact is not None}

    def done(self) -> tuple[Run, Model] | None:
        """What came out of it, if it was done before."""
        model = self.store.find(Model, self.key)
        return None if model is None else (self.store.get(Run, model.parents["run"]), model)

    def to_json(self) -> bytes:
        """The job for another process on this machine."""
        sections = _Sections(task=self.task, model=self.model, train=self.train, monitor=self.monitor)
        return msgspec.json.encode(
            {
                "sections": sections.model_dump(mode="json"),
                "base": _written(self.base),
                "dataset": self.dataset.id,
                "store": str(self.store.root.absolute()),
                "seed": self.seed,
                "recipe": self.recipe,
                "start": self.start.id if self.start else None,
                "others": {role: _written(other) for role, other in self.others.items()},
                "continues": self.continues,
                "pause": self.pause,
            }
        )

    @classmethod
    def of_json(cls, data: bytes) -> Job:
        """The job that another process wrote.

        Raises:
            StoreError: An artifact of it is not in the store.
        """
        read = msgspec.json.decode(data)
        sections = _Sections.model_validate(read["sections"])
        store = Store(read["store"])
        return cls(
            train=sections.train,
            task=sections.task,
            model=sections.model,
            base=_read(read["base"], store),
            dataset=store.get(Dataset, read["dataset"]),
            monitor=sections.monitor,
            store=store,
            seed=read["seed"],
            recipe=read["recipe"],
            start=store.get(Model, read["start"]) if read["start"] else None,
            others={role: _read(other, store) for role, other in read["others"].items()},
            continues=read["continues"],
            pause=read["pause"],
        )


def _written(base: Base) -> dict[str, Any]:
    return {
        "name": base.name,
        "folder": str(base.folder.absolute()),
        "digest": base.digest,
        "artifact": base.artifact.id if base.artifact else None,
        "under": _written(base.under) if base.under else None,
        "template": base.template,
    }


def _read(written: dict[str, Any], store: Store) -> Base:
    return Base(
        written["name"],
        Path(written["folder"]),
        written["digest"],
        store.get(Model, written["artifact"]) if written["artifact"] else None,
        _read(written["under"], store) if written["under"] else None,
        written["template"],
    )
