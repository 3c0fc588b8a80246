"""Driver of tuneloop: a dataset of the job's rows, then the ``train`` stage with everything at its default."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.drivers.job import Job, Watch


class Clock:
    """A progress that tells the watch about every step."""

    def __init__(self, watch: Watch) -> None:
        self.watch = watch

    def start(self, what: str, total: int | None = None) -> None:
        """Ignore it."""

    def note(self, text: str) -> None:
        """Ignore it."""

    def advance(self, done: int, figures: Mapping[str, float] | None = None) -> None:  # noqa: ARG002
        """Count a step."""
        if figures and "train/loss" in figures:
            self.watch.step()


def main(path: str) -> None:
    """Train one job."""
    job = Job.read(path)
    watch = Watch(job)
    from tuneloop.models import find_base
    from tuneloop.models.section import ModelSection
    from tuneloop.monitoring.section import MonitorSection
    from tuneloop.parts import find
    from tuneloop.store import Store
    from tuneloop.tasks import Task
    from tuneloop.training.section import TrainSection
    from tuneloop.training.train import train

    store = Store(Path(job.out) / "store")
    dataset = sealed(store, job.pairs())
    model = ModelSection(base=job.model)
    _, tuned = train(
        TrainSection.model_validate(section(job)),
        task=find(Task, "sft")(),
        model=model,
        base=find_base(model, folder=Path(job.out), store=store),
        dataset=dataset,
        monitor=MonitorSection(),
        store=store,
        seed=job.seed,
        recipe={"name": "bench"},
        progress=Clock(watch),
    )
    watch.done(tuned.weights)


def sealed(store: Any, pairs: list[tuple[str, str]]) -> Any:
    """A dataset of the rows, in a store."""
    from tuneloop.rows import Chat, Message, Record
    from tuneloop.store import Dataset
    from tuneloop.store.parquet import write_records

    records = [
        Record.of(Chat((Message("user", prompt), Message("assistant", answer))), origin=f"rows.jsonl:{at}")
        for at, (prompt, answer) in enumerate(pairs, 1)
    ]
    with store.draft() as folder:
        write_records(folder / "train.parquet", records)
        return store.seal(Dataset, folder, parents={}, key="", facts={})


def section(job: Job) -> dict[str, Any]:
    """The ``train`` section of a job; one checkpoint at the end, since the other tools write only the adapter."""
    lora = {"r": job.r, "lora_alpha": 2 * job.r, "lora_dropout": 0.0, "target_modules": job.targets}
    return {
        "adapter": {"lora": lora},
        "optimizer": {"adamw": {"learning_rate": job.learning_rate, "weight_decay": 0.0}},
        "schedule": {"constant": {"warmup_steps": 0}},
        "batch": {"size": job.batch},
        "max_steps": job.steps,
        "max_length": job.length,
        "precision": job.dtype,
        "checkpoints": {"save_steps": job.steps},
    }


if __name__ == "__main__":
    main(sys.argv[1])
