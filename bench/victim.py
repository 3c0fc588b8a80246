"""A small training in a process of its own, made to be killed: prints each step, ends with the digest of its adapter.

    python -m bench.victim FOLDER STEPS

Called again with the same folder it goes on. Dropout, shuffling, accumulation and uneven last steps are on, so a
resume that loses any state gives other losses and other weights.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

SEED = 11


class Told:
    """A progress that prints each step for the process that waits to kill this one."""

    def start(self, what: str, total: int | None = None) -> None:
        """Ignore it."""

    def note(self, text: str) -> None:
        """Print it."""
        print("note", text, flush=True)

    def advance(self, done: int, figures: Mapping[str, float] | None = None) -> None:
        """Print the step."""
        if figures and "train/loss" in figures:
            print("step", done, flush=True)


def section(steps: int) -> Any:
    """Saves every two steps."""
    from tuneloop.training.section import TrainSection

    return TrainSection.model_validate(
        {
            "adapter": {"lora": {"r": 4, "lora_alpha": 8, "lora_dropout": 0.1}},
            "optimizer": {"adamw": {"learning_rate": 5e-3}},
            "batch": {"size": 6, "per_device_train_batch_size": 4},
            "max_steps": steps,
            "max_length": 64,
            "eval_steps": max(5, steps // 3),
            "checkpoints": {"save_steps": 2, "save_total_limit": 2},
            "stop": None,
        }
    )


def turns_of(at: int) -> tuple[str, str]:
    """Question and answer of one row."""
    return f"what is {at} plus {at + 1}", f"it is {2 * at + 1}" + " and" * (at % 5)


def dataset(store: Any) -> Any:
    """Forty rows to learn and eight held out."""
    from tuneloop.rows import Chat, Message, Record
    from tuneloop.store import Dataset
    from tuneloop.store.parquet import write_records

    def record(at: int) -> Any:
        asked, answer = turns_of(at)
        return Record.of(Chat((Message("user", asked), Message("assistant", answer))), origin=f"rows:{at}")

    with store.draft() as folder:
        write_records(folder / "train.parquet", [record(at) for at in range(40)])
        write_records(folder / "validation.parquet", [record(at) for at in range(40, 48)])
        return store.seal(Dataset, folder, parents={}, key="", facts={})


def main(folder: Path, steps: int) -> None:
    """Train, or go on; print the digest of the adapter and every figure that must not differ."""
    import torch

    from tuneloop import embedded
    from tuneloop.models import find_base
    from tuneloop.models.section import ModelSection
    from tuneloop.monitoring.section import MonitorSection
    from tuneloop.parts import find
    from tuneloop.store import Store
    from tuneloop.store.digest import of_file
    from tuneloop.tasks import Task
    from tuneloop.training.train import train

    torch.set_num_threads(1)
    store = Store(folder)
    model = ModelSection(base=str(embedded.base()))
    run, tuned = train(
        section(steps),
        task=find(Task, "sft")(),
        model=model,
        base=find_base(model, folder=folder, store=store),
        dataset=dataset(store),
        monitor=MonitorSection(),
        store=store,
        seed=SEED,
        recipe={"name": "victim"},
        progress=Told(),
    )
    lasting = ("train/loss", "train/learning_rate", "train/grad_norm", "validation/loss")
    signals = [(s.step, s.name, s.value.hex()) for s in run.signals() if s.name in lasting]
    print("done", json.dumps([of_file(tuned.weights / "adapter_model.safetensors"), signals]), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
