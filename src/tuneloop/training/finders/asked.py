"""What a finder looks at, and how it is opened for trials of which nothing is kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from tuneloop.models import Base, Loaded
from tuneloop.models.section import ModelSection
from tuneloop.monitoring.progress import Progress, Silent
from tuneloop.monitoring.section import MonitorSection
from tuneloop.store import Dataset, Store
from tuneloop.tasks import Task
from tuneloop.training.loop import Learner
from tuneloop.training.machine import settle
from tuneloop.training.randomness import own_randomness
from tuneloop.training.ready import open_to_learn, ready
from tuneloop.training.section import TrainSection
from tuneloop.training.threads import own_threads


@dataclass(frozen=True)
class Asked:
    """A training that is not to be made, only tried.

    Attributes:
        train: The ``train`` section.
        task: What is learned.
        model: The ``model`` section.
        base: The base model that it names.
        dataset: Rows to learn from, and to be measured on.
        store: For the cache of encoded rows; nothing else is written.
        seed: Seed of everything random.
        others: Other models that the task learns with, by their role.
        progress: Told how far it is.
    """

    train: TrainSection
    task: Task
    model: ModelSection
    base: Base
    dataset: Dataset
    store: Store
    seed: int
    others: Mapping[str, Base] = field(default_factory=dict)
    progress: Progress = field(default_factory=Silent)

    @contextmanager
    def opened(self) -> Iterator[tuple[Loaded, Learner]]:
        """Open the base with what learns on it; random generators and threads come back after.

        Yields:
            The model, and the learner ready for its first step.

        Raises:
            ModelError: The model cannot be opened.
            TrainingError: There is nothing to learn, or an option cannot act.
        """
        task = self.task.fitted(self.dataset.records("train"))
        with own_randomness(self.seed), own_threads():
            loaded = open_to_learn(self.train, task, self.model, self.base, self.store, self.seed, None)
            beside = (MonitorSection(), self.store, self.seed, self.progress, self.others)
            learner = settle(ready(self.train, loaded, task, self.dataset, *beside))
            learner.model.train()
            yield loaded, learner
