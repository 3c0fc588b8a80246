"""Driver of TRL's SFTTrainer: ``trl`` as it comes, ``trl-tuned`` (answers only, no checkpointing), ``trl-packed``.

``trl-liger`` is the packed one with Liger's kernels, for GPUs.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from bench.drivers.job import Job, Watch
from bench.drivers.trainer import arguments, callback, lora, tell_packs


def settings(job: Job) -> dict[str, Any]:
    """What each variant changes of TRL's defaults."""
    tuned: dict[str, Any] = {"gradient_checkpointing": False}
    packed: dict[str, Any] = {**tuned, "packing": True, "packing_strategy": "bfd", "max_length": job.pack}
    return {
        "trl": {},
        "trl-tuned": tuned,
        "trl-packed": packed,
        "trl-liger": {**packed, "use_liger_kernel": True},
    }[job.tool]


def dataset(job: Job, *, answers_only: bool) -> Any:
    """Conversations.

    Args:
        job: The job.
        answers_only: Give prompt and completion apart, by which TRL learns answers only.
    """
    from datasets import Dataset

    def turn(role: str, text: str) -> dict[str, str]:
        return {"role": role, "content": text}

    if answers_only:
        rows = [
            {"prompt": [turn("user", prompt)], "completion": [turn("assistant", answer)]}
            for prompt, answer in job.pairs()
        ]
    else:
        rows = [{"messages": [turn("user", prompt), turn("assistant", answer)]} for prompt, answer in job.pairs()]
    return Dataset.from_list(rows)


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
        train_dataset=dataset(job, answers_only=job.tool != "trl"),
        processing_class=AutoTokenizer.from_pretrained(job.model),
        peft_config=lora(job),
        callbacks=[callback(watch, taken)],
    )
    if job.tool in ("trl-packed", "trl-liger"):
        tell_packs(trainer, job, taken)
    else:
        job.check(map(len, trainer.train_dataset["input_ids"]))
    trainer.train()
    adapter = Path(job.out) / "adapter"
    trainer.save_model(str(adapter))
    watch.done(adapter, trl=trl.__version__)


if __name__ == "__main__":
    main(sys.argv[1])
