"""Driver of LLaMA-Factory's SFT stage.

``llamafactory`` follows the example recipe that it comes with, ``llamafactory-tuned`` leaves out checkpointing and
takes more rows at once, ``llamafactory-packed`` packs them as well (``neat_packing``).
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import types
from collections import Counter
from importlib import import_module
from importlib.machinery import ModuleSpec
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import Any

from bench.drivers.job import Job, Watch
from bench.drivers.trainer import callback, packs_per_step

TEMPLATE = "bench"


def without_audio() -> None:
    """Let LLaMA-Factory be imported where torchaudio is not: it imports it at once, and needs it for audio alone."""
    if importlib.util.find_spec("torchaudio") is None:
        nothing = types.ModuleType("torchaudio")
        nothing.__spec__ = ModuleSpec("torchaudio", None)
        sys.modules["torchaudio"] = nothing


def write_dataset(job: Job) -> Path:
    """The job's rows as a dataset folder of LLaMA-Factory."""
    folder = Path(job.out) / "data"
    folder.mkdir()
    rows = [{"instruction": prompt, "input": "", "output": answer} for prompt, answer in job.pairs()]
    (folder / "rows.json").write_text(json.dumps(rows), encoding="utf-8")
    (folder / "dataset_info.json").write_text(json.dumps({"rows": {"file_name": "rows.json"}}), encoding="utf-8")
    return folder


def register_template() -> None:
    """The chat template of all the tools, as LLaMA-Factory spells it."""
    template: Any = import_module("llamafactory.data.template")
    form: Any = import_module("llamafactory.data.formatter").StringFormatter
    template.register_template(
        name=TEMPLATE,
        format_user=form(slots=["<|im_start|>user\n{{content}}<|im_end|><|im_start|>assistant\n"]),
        format_assistant=form(slots=["{{content}}<|im_end|>"]),
        stop_words=["<|im_end|>"],
    )


def settings(job: Job) -> dict[str, Any]:
    """The recipe: the example's values where the tools do not share one."""
    tuned: dict[str, Any] = {"disable_gradient_checkpointing": True}
    return {
        "stage": "sft",
        "do_train": True,
        "model_name_or_path": job.model,
        "finetuning_type": "lora",
        "lora_rank": job.r,
        "lora_alpha": 2 * job.r,
        "lora_dropout": 0.0,
        "lora_target": ",".join(job.targets),
        "dataset_dir": str(write_dataset(job)),
        "dataset": "rows",
        "template": TEMPLATE,
        "cutoff_len": job.length,
        "overwrite_cache": True,
        "disable_shuffling": True,
        "output_dir": str(Path(job.out) / "adapter"),
        "per_device_train_batch_size": job.micro,
        "gradient_accumulation_steps": job.batch // job.micro,
        "learning_rate": job.learning_rate,
        "lr_scheduler_type": "constant",
        "max_steps": job.steps,
        "bf16": job.dtype == "bf16",
        "use_cpu": True,
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "seed": job.seed,
    } | {
        "llamafactory": {},
        "llamafactory-tuned": tuned,
        "llamafactory-packed": {**tuned, "neat_packing": True, "cutoff_len": job.pack},
    }[job.tool]


def watch_rows(job: Job, taken: list[list[int]]) -> None:
    """Look at the rows as LLaMA-Factory has encoded them; make a step of packs hold about the rows of a step.

    Args:
        job: The job.
        taken: Filled with the lengths of the rows of each step, where they are packed.
    """
    workflow: Any = import_module("llamafactory.train.sft.workflow")

    class Watching(workflow.CustomSeq2SeqTrainer):  # type: ignore[misc]
        def __init__(self, **given: Any) -> None:
            marks = given["train_dataset"]["attention_mask"]  # 1, 2, 3 ... for the rows of a pack
            packs = [[count for mark, count in sorted(Counter(row).items()) if mark] for row in marks]
            job.check(chain(*packs))
            if job.tool == "llamafactory-packed":
                size, steps = packs_per_step(job, packs)
                taken.extend(steps)
                args = given["args"]
                args.max_steps, args.per_device_train_batch_size = len(steps), 1
                args.gradient_accumulation_steps = size
            super().__init__(**given)

    workflow.CustomSeq2SeqTrainer = Watching


def main(path: str) -> None:
    """Train one job."""
    job = Job.read(path)
    watch = Watch(job)
    os.environ["HF_DATASETS_CACHE"] = str(Path(job.out) / "cache")
    without_audio()
    register_template()
    taken: list[list[int]] = []
    watch_rows(job, taken)
    run: Any = import_module("llamafactory.train.tuner").run_exp
    run(settings(job), callbacks=[callback(watch, taken)])
    watch.done(Path(job.out) / "adapter", llamafactory=version("llamafactory"))


if __name__ == "__main__":
    main(sys.argv[1])
