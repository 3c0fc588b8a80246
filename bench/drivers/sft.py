"""Driver of TRL's SFTTrainer: ``trl`` as it comes, ``trl-tuned`` (answers only, no checkpointing), ``trl-packed``."""

from __future__ import annotations

import sys
from importlib import import_module
from itertools import chain
from pathlib import Path
from typing import Any

from bench.drivers.job import Job, Watch
from bench.drivers.trainer import arguments, callback, lora


def settings(job: Job) -> dict[str, Any]:
    """What each variant changes of TRL's defaults."""
    tuned: dict[str, Any] = {"gradient_checkpointing": False}
    return {
        "trl": {},
        "trl-tuned": tuned,
        "trl-packed": {**tuned, "packing": True, "packing_strategy": "bfd"},
    }[job.tool]


def dataset(job: Job) -> Any:
    """Conversations; the tuned variants give prompt and completion apart, by which TRL learns answers only."""
    from datasets import Dataset

    def turn(role: str, text: str) -> dict[str, str]:
        return {"role": role, "content": text}

    if job.tool == "trl":
        rows = [{"messages": [turn("user", prompt), turn("assistant", answer)]} for prompt, answer in job.pairs()]
    else:
        rows = [
            {"prompt": [turn("user", prompt)], "completion": [turn("assistant", answer)]}
            for prompt, answer in job.pairs()
        ]
    return Dataset.from_list(rows)


def packs_per_step(job: Job, lengths: list[list[int]]) -> int:
    """Packs that hold about as many rows as a step of the other tools."""
    rows = sum(map(len, lengths))
    return max(1, round(job.batch * len(lengths) / rows))


def main(path: str) -> None:
    """Train one job."""
    job = Job.read(path)
    watch = Watch(job)
    from transformers import AutoTokenizer

    trl: Any = import_module("trl")
    taken: list[list[int]] = []
    trainer = trl.SFTTrainer(
        model=job.model,
        args=trl.SFTConfig(**{**arguments(job), "max_length": job.length, **settings(job)}),
        train_dataset=dataset(job),
        processing_class=AutoTokenizer.from_pretrained(job.model),
        peft_config=lora(job),
        callbacks=[callback(watch, taken)],
    )
    if job.tool == "trl-packed":
        # How many packs there are is only known after packing: the step is set to the same number of rows then.
        packs = list(trainer.train_dataset["seq_lengths"])
        size = packs_per_step(job, packs)
        taken += [list(chain(*packs[at : at + size])) for at in range(0, len(packs), size)]
        trainer.args.max_steps = len(taken)
        trainer.args.per_device_train_batch_size = trainer._train_batch_size = 1
        trainer.args.gradient_accumulation_steps = trainer.accelerator.gradient_accumulation_steps = size
    trainer.train()
    adapter = Path(job.out) / "adapter"
    trainer.save_model(str(adapter))
    watch.done(adapter, trl=trl.__version__)


if __name__ == "__main__":
    main(sys.argv[1])
