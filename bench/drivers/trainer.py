"""Driver of the Hugging Face Trainer with PEFT: ``padded`` (the textbook script) or ``dynamic`` (a careful one)."""

from __future__ import annotations

import sys
from itertools import chain
from pathlib import Path
from typing import Any

from bench.drivers.job import Job, Watch


def encode(tokenizer: Any, prompt: str, answer: str, length: int) -> dict[str, list[int]]:
    """Ids of one conversation, and labels on the answer and the token that ends it."""
    turns = [{"role": "user", "content": prompt}, {"role": "assistant", "content": answer}]
    asked = tokenizer.apply_chat_template(turns[:1], add_generation_prompt=True, return_dict=False)
    ids = tokenizer.apply_chat_template(turns, return_dict=False)
    labels = [-100] * len(asked) + ids[len(asked) :]
    return {"input_ids": ids[:length], "labels": labels[:length]}


def textbook(tokenizer: Any, pairs: list[tuple[str, str]], length: int) -> list[dict[str, list[int]]]:
    """Rows padded to one length, labels equal to the ids but for the padding: what tutorials show."""
    rows = []
    for prompt, answer in pairs:
        ids = encode(tokenizer, prompt, answer, length)["input_ids"]
        rest = length - len(ids)
        rows.append(
            {
                "input_ids": ids + [tokenizer.pad_token_id] * rest,
                "attention_mask": [1] * len(ids) + [0] * rest,
                "labels": ids + [-100] * rest,
            }
        )
    return rows


def arguments(job: Job) -> dict[str, Any]:
    """Training arguments that every Hugging Face tool takes from a job."""
    import torch

    return {
        "output_dir": job.out,
        "use_cpu": not torch.cuda.is_available(),
        "max_steps": job.steps,
        "per_device_train_batch_size": job.micro,
        "gradient_accumulation_steps": job.batch // job.micro,
        "learning_rate": job.learning_rate,
        "lr_scheduler_type": "constant",
        "max_grad_norm": 1.0,
        "bf16": job.dtype == "bf16",
        "train_sampling_strategy": "sequential",
        "save_strategy": "no",
        "logging_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "seed": job.seed,
    }


def callback(watch: Watch, lengths: list[list[int]] | None = None) -> Any:
    """A callback that tells the watch about every step, with the lengths of its rows where they are not the next."""
    from transformers import TrainerCallback

    class Clock(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, *_: Any, **__: Any) -> None:
            watch.step(lengths[len(watch.ends)] if lengths else None)

    return Clock()


def packs_per_step(job: Job, packs: list[list[int]]) -> tuple[int, list[list[int]]]:
    """How many packs make a step that holds about as many rows as a step of the other tools.

    Args:
        job: The job.
        packs: Lengths of the rows in each pack.

    Returns:
        The number, and the lengths of the rows that each step takes.
    """
    size = max(1, round(job.batch * len(packs) / sum(map(len, packs))))
    return size, [list(chain(*packs[at : at + size])) for at in range(0, len(packs), size)]


def tell_packs(trainer: Any, job: Job, taken: list[list[int]]) -> None:
    """Set the steps of a trainer of TRL that has packed its rows: how many packs there are is only known then.

    Args:
        trainer: The trainer; its dataset has ``seq_lengths``.
        job: The job.
        taken: Filled with the lengths of the rows of each step.
    """
    packs = list(trainer.train_dataset["seq_lengths"])
    job.check(chain(*packs))
    size, steps = packs_per_step(job, packs)
    taken.extend(steps)
    trainer.args.max_steps = len(steps)
    trainer.args.per_device_train_batch_size = trainer._train_batch_size = 1
    trainer.args.gradient_accumulation_steps = trainer.accelerator.gradient_accumulation_steps = size


def lora(job: Job) -> Any:
    """The adapter of a job."""
    from peft import LoraConfig

    return LoraConfig(
        r=job.r, lora_alpha=2 * job.r, lora_dropout=0.0, target_modules=job.targets, task_type="CAUSAL_LM"
    )


def main(path: str) -> None:
    """Train one job."""
    job = Job.read(path)
    watch = Watch(job)
    from peft import get_peft_model
    from transformers import (
        AutoModelForCausalLM,
        AutoTokenizer,
        DataCollatorForSeq2Seq,
        Trainer,
        TrainingArguments,
        default_data_collator,
        set_seed,
    )

    tokenizer = AutoTokenizer.from_pretrained(job.model)
    set_seed(job.seed)
    model = get_peft_model(AutoModelForCausalLM.from_pretrained(job.model, dtype="float32"), lora(job))
    if job.tool == "padded":
        rows, collate = textbook(tokenizer, job.pairs(), job.length), default_data_collator
    else:
        rows = [encode(tokenizer, prompt, answer, job.length) for prompt, answer in job.pairs()]
        collate = DataCollatorForSeq2Seq(tokenizer, padding="longest")
    job.check(sum(row.get("attention_mask", [1] * len(row["input_ids"]))) for row in rows)
    trainer = Trainer(
        model=model,
        args=TrainingArguments(**arguments(job)),
        train_dataset=rows,
        data_collator=collate,
        callbacks=[callback(watch)],
    )
    trainer.train()
    adapter = Path(job.out) / "adapter"
    model.save_pretrained(str(adapter))
    watch.done(adapter)


if __name__ == "__main__":
    main(sys.argv[1])
