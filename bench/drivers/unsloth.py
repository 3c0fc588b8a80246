"""Driver of Unsloth: ``unsloth`` as its notebooks have it, ``unsloth-tuned`` (answers only, no checkpointing).

``unsloth-compiled`` is the tuned one with the compilation that Unsloth offers on CPUs. Its weights are bf16, not fp32
under autocast: that is what it makes of a CPU that has the instructions. It refuses to pack there.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench.drivers.job import Job, Watch
from bench.drivers.sft import dataset
from bench.drivers.trainer import arguments, callback, tell_packs


def main(path: str) -> None:
    """Train one job."""
    job = Job.read(path)
    watch = Watch(job)
    plain = job.tool == "unsloth"
    if job.tool == "unsloth-compiled":
        os.environ["UNSLOTH_CPU_COMPILE"] = "1"
    os.chdir(job.out)  # it writes compiled code where it runs
    fast: Any = import_module("unsloth").FastLanguageModel  # before transformers, as it asks for
    trl: Any = import_module("trl")
    import torch

    checkpointing = "unsloth" if plain else False
    model, tokenizer = fast.from_pretrained(
        job.model,
        max_seq_length=job.length,
        dtype=torch.bfloat16 if job.dtype == "bf16" else torch.float32,
        load_in_4bit=False,
        use_gradient_checkpointing=checkpointing,
    )
    model = fast.get_peft_model(
        model,
        r=job.r,
        lora_alpha=2 * job.r,
        lora_dropout=0.0,
        target_modules=job.targets,
        use_gradient_checkpointing=checkpointing,
        random_state=job.seed,
    )
    on_gpu = torch.cuda.is_available()
    settings: dict[str, Any] = {"gradient_checkpointing": plain, "packing": on_gpu and not plain}
    taken: list[list[int]] = []
    trainer = trl.SFTTrainer(
        model=model,
        args=trl.SFTConfig(**{**arguments(job), "max_length": job.pack if on_gpu else job.length, **settings}),
        train_dataset=dataset(job, answers_only=not plain),
        processing_class=tokenizer,
        callbacks=[callback(watch, taken)],
    )
    if settings["packing"]:
        tell_packs(trainer, job, taken)
    else:
        job.check(map(len, trainer.train_dataset["input_ids"]))
    trainer.train()
    adapter = Path(job.out) / "adapter"
    model.save_pretrained(str(adapter))
    watch.done(adapter, unsloth=version("unsloth"))


if __name__ == "__main__":
    main(sys.argv[1])
