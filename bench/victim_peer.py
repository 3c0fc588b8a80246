"""The training of ``bench.victim`` by the Hugging Face Trainer: made to be killed, and called again to go on.

python -m bench.victim_peer FOLDER STEPS
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from bench.drivers.trainer import encode
from bench.victim import SEED, turns_of


def main(folder: Path, steps: int) -> None:
    """Train, or go on from the newest checkpoint; print the digest of the adapter and the losses."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import (
        AutoModelForCausalLM,
        AutoTokenizer,
        DataCollatorForSeq2Seq,
        Trainer,
        TrainerCallback,
        TrainingArguments,
        set_seed,
    )
    from transformers.trainer_utils import get_last_checkpoint

    from tuneloop import embedded

    class Told(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
            print("step", state.global_step, flush=True)

    torch.set_num_threads(1)
    set_seed(SEED)
    tokenizer = AutoTokenizer.from_pretrained(embedded.base())
    model = AutoModelForCausalLM.from_pretrained(embedded.base(), dtype="float32")
    lora = LoraConfig(r=4, lora_alpha=8, lora_dropout=0.1, target_modules="all-linear", task_type="CAUSAL_LM")
    trainer = Trainer(
        model=get_peft_model(model, lora),
        args=TrainingArguments(
            output_dir=str(folder),
            use_cpu=True,
            max_steps=steps,
            per_device_train_batch_size=3,
            gradient_accumulation_steps=2,
            learning_rate=5e-3,
            save_strategy="steps",
            save_steps=2,
            save_total_limit=2,
            logging_steps=1,
            report_to="none",
            disable_tqdm=True,
            seed=SEED,
        ),
        train_dataset=[encode(tokenizer, *turns_of(at), 64) for at in range(40)],
        data_collator=DataCollatorForSeq2Seq(tokenizer, padding="longest"),
        callbacks=[Told()],
    )
    trainer.train(resume_from_checkpoint=get_last_checkpoint(str(folder)) if folder.is_dir() else None)
    trainer.model.save_pretrained(str(folder / "adapter"))
    adapter = hashlib.sha256((folder / "adapter" / "adapter_model.safetensors").read_bytes()).hexdigest()
    losses = [[entry["step"], "loss", entry["loss"]] for entry in trainer.state.log_history if "loss" in entry]
    print("done", json.dumps([adapter, losses]), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
