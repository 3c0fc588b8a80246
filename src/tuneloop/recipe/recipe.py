"""The recipe: one YAML for a whole life, its sections in the order of life."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field, PrivateAttr, field_validator

from tuneloop.data.section import DataSection
from tuneloop.evaluation.section import EvaluateSection
from tuneloop.exporting.section import ExportSection
from tuneloop.feedback.section import FeedbackSection
from tuneloop.improving.section import ImproveSection
from tuneloop.models.section import ModelSection
from tuneloop.monitoring.section import MonitorSection
from tuneloop.parts import OneOf, Section, find
from tuneloop.serving.section import ServeSection
from tuneloop.store.naming import composed
from tuneloop.tasks import Task
from tuneloop.training.section import TrainSection
from tuneloop.tuning.section import TuneSection


class Recipe(Section):
    """Everything that decides a model's life. Only ``data.sources`` and ``model.base`` must be given."""

    name: str = Field("model", pattern=r"^[\p{L}\p{N}][\p{L}\p{M}\p{N}_.-]*$")
    """The recipe's name: its refs begin with it (``<name>/champion``). A file that gives none is called by its own
    name, without the ending; letters of any script."""
    seed: int = Field(42, ge=0)
    """Seed of everything random."""
    data: DataSection
    """Where rows come from and how they are prepared."""
    model: ModelSection
    """The base model."""
    task: OneOf[Task] = Field(default_factory=lambda: find(Task, "sft")())
    """What is learned: answers (``sft``, ``distillation``), all of a text (``pretrain``), preferences, or labels."""
    train: TrainSection = Field(default_factory=TrainSection)
    """The training run."""
    tune: TuneSection = Field(default_factory=TuneSection)
    """What is searched for better options of all this."""
    monitor: MonitorSection = Field(default_factory=MonitorSection)
    """What is watched."""
    improve: ImproveSection = Field(default_factory=ImproveSection)
    """How far ``tuneloop improve`` may go, and what it may try."""
    evaluate: EvaluateSection = Field(default_factory=EvaluateSection)
    """How the result is measured."""
    export: ExportSection = Field(default_factory=ExportSection)
    """In what forms it leaves."""
    serve: ServeSection = Field(default_factory=ServeSection)
    """How it is served."""
    feedback: FeedbackSection = Field(default_factory=FeedbackSection)
    """How feedback comes back."""

    @field_validator("name")
    @classmethod
    def _composed(cls, name: str) -> str:
        return composed(name)

    _folder: Path = PrivateAttr(default_factory=Path)

    @property
    def folder(self) -> Path:
        """The folder that relative paths of this recipe start from."""
        return self._folder

    def at(self, folder: Path) -> Recipe:
        """The same recipe, with its relative paths starting from a folder."""
        copy = self.model_copy()
        copy._folder = folder
        return copy

    def spelled(self) -> dict[str, Any]:
        """The resolved recipe as plain values: every default and every option spelled out."""
        values: dict[str, Any] = self.model_dump(mode="json")
        return values
