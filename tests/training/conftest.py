"""A tiny training that takes a second: 40 rows, a two-layer Llama, every option open."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tuneloop.models import Base, find_base
from tuneloop.models.section import ModelSection
from tuneloop.monitoring.progress import Progress, Silent
from tuneloop.monitoring.section import MonitorSection
from tuneloop.parts import find
from tuneloop.rows import Chat, Message, Record
from tuneloop.store import Dataset, Model, Run, Store
from tuneloop.store.parquet import write_records
from tuneloop.tasks import Task
from tuneloop.training.section import TrainSection

os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")


@dataclass
class Heard:
    """A progress that remembers what it was told."""

    notes: list[str] = field(default_factory=list)
    figures: list[dict[str, float]] = field(default_factory=list)
    works: list[str] = field(default_factory=list)

    def start(self, what: str, total: int | None = None) -> None:
        self.works.append(what)

    def advance(self, done: int, figures: Mapping[str, float] | None = None) -> None:
        if figures:
            self.figures.append(dict(figures))

    def note(self, text: str) -> None:
        self.notes.append(text)


class At(Heard):
    """Does something when the run has come to a step."""

    def __init__(self, step: int, act: Callable[[], Any]) -> None:
        super().__init__()
        self.step, self.act = step, act

    def advance(self, done: int, figures: Mapping[str, float] | None = None) -> None:
        super().advance(done, figures)
        if figures and "train/loss" in figures and done == self.step:
            self.act()


@dataclass(frozen=True)
class Bench:
    """Everything a tiny training needs, around one store."""

    store: Store
    dataset: Dataset
    model: ModelSection
    base: Base
    task: Task

    def train(
        self, section: TrainSection | None = None, progress: Progress | None = None, **changes: Any
    ) -> tuple[Run, Model]:
        from tuneloop.training.train import train

        given: dict[str, Any] = {
            "task": self.task,
            "model": self.model,
            "base": self.base,
            "dataset": self.dataset,
            "monitor": MonitorSection(samples=0, general_texts=None),  # what takes passes of its own has its own tests
            "store": self.store,
            "seed": 3,
            "recipe": {"name": "tiny"},
            "progress": progress or Silent(),
        }
        return train(section or section_of(), **(given | changes))


def section_of(**changes: Any) -> TrainSection:
    """A section with dropout and uneven last steps, 2 epochs of 40 rows by 6."""
    values: dict[str, Any] = {
        "adapter": {"lora": {"r": 4, "lora_alpha": 8, "lora_dropout": 0.1}},
        "optimizer": {"adamw": {"learning_rate": 5e-3}},
        "batch": {"size": 6, "per_device_train_batch_size": 4},
        "num_train_epochs": 2,
        "max_length": 64,
    }
    return TrainSection.model_validate(values | changes)


def chat(index: int, answer: str | None = None) -> Record:
    said = f"it is {2 * index + 1}" + " and more" * (index % 5) if answer is None else answer
    turns = (Message("user", f"what is {index} plus {index + 1}"), Message("assistant", said))
    return Record.of(Chat(turns), origin=f"chats.jsonl:{index + 1}")


def seal(store: Store, train: Iterable[Record], validation: Iterable[Record] = ()) -> Dataset:
    with store.draft() as folder:
        for split, records in (("train", list(train)), ("validation", list(validation))):
            if records:
                write_records(folder / f"{split}.parquet", records)
        return store.seal(Dataset, folder, parents={}, key="", facts={})


def make_bench(folder: Path, base_folder: Path) -> Bench:
    """A bench of 40 rows to learn and 12 held out, around a new store."""
    store = Store(folder)
    model = ModelSection(base=str(base_folder))
    base = find_base(model, folder=folder, store=store)
    dataset = seal(store, map(chat, range(40)), map(chat, range(40, 52)))
    return Bench(store, dataset, model, base, find(Task, "sft")())


@pytest.fixture
def new_bench(tiny_model: Path) -> Callable[[Path], Bench]:
    """Makes a bench around a store in a folder."""
    return lambda folder: make_bench(folder, tiny_model)


@pytest.fixture
def bench(tmp_path: Path, new_bench: Callable[[Path], Bench]) -> Bench:
    return new_bench(tmp_path / "store")


def weights(model: Model) -> bytes:
    """The bytes of a tuned model's weights."""
    (file,) = model.weights.glob("*.safetensors")
    return file.read_bytes()


def lasting(run: Run) -> list[tuple[int, str, float]]:
    """The signals that do not depend on the clock or the machine's load."""
    names = ("train/loss", "train/learning_rate", "train/grad_norm", "train/epoch", "validation/loss")
    return [(signal.step, signal.name, signal.value) for signal in run.signals() if signal.name in names]
