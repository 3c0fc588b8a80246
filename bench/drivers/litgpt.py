"""Driver of LitGPT's LoRA recipe: ``litgpt`` as it comes, ``litgpt-tuned`` (answers only, more rows at once).

``--prepare`` converts the model to LitGPT's own format first; its users do that once for each model.
"""

from __future__ import annotations

import json
import os
import sys
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from bench.drivers.job import Job, Watch

PARTS = {"query": "q_proj", "key": "k_proj", "value": "v_proj", "projection": "o_proj", "mlp": "down_proj"}
LINEAR = {"attn.proj": "self_attn.o_proj", "mlp.fc_1": "mlp.gate_proj", "mlp.fc_2": "mlp.up_proj"}
LINEAR["mlp.proj"] = "mlp.down_proj"


def converted(job: Job) -> Path:
    """Where the model is in LitGPT's format."""
    return Path(job.model) / "litgpt"


def prepare(job: Job) -> None:
    """Convert the model with LitGPT's own functions."""
    import torch
    import yaml
    from safetensors.torch import load_file

    if (converted(job) / "ready").exists():
        return
    source, folder = Path(job.model), converted(job)
    folder.mkdir(exist_ok=True)
    config = json.loads((source / "config.json").read_text(encoding="utf-8"))
    qwen = config["model_type"] == "qwen2"
    lit = {
        "name": "bench",
        "hf_config": {},
        "block_size": config["max_position_embeddings"],
        "n_layer": config["num_hidden_layers"],
        "n_embd": config["hidden_size"],
        "vocab_size": config["vocab_size"],
        "padded_vocab_size": config["vocab_size"],
        "n_head": config["num_attention_heads"],
        "n_query_groups": config["num_key_value_heads"],
        "attn_bias": qwen,
        "bias": False,
        "parallel_residual": False,
        "norm_class_name": "RMSNorm",
        "norm_eps": config["rms_norm_eps"],
        "rope_base": int(config["rope_parameters"]["rope_theta"]),
        "rotary_percentage": 1.0,
        "mlp_class_name": "LLaMAMLP",
        "intermediate_size": config["intermediate_size"],
    }
    convert = import_module("litgpt.scripts.convert_hf_checkpoint")
    copy = convert.copy_weights_qwen_2_5 if qwen else convert.copy_weights_hf_llama
    weights: dict[str, torch.Tensor] = {}
    copy(import_module("litgpt.config").Config(**lit), {}, weights, load_file(source / "model.safetensors"))
    torch.save(weights, folder / "lit_model.pth")
    (folder / "model_config.yaml").write_text(yaml.safe_dump(lit), encoding="utf-8")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).write_bytes((source / name).read_bytes())
    (folder / "ready").touch()


def rows_of(job: Job) -> Any:
    """A data module of LitGPT with the job's rows, in their order, in the template of all the tools."""
    from torch.utils.data import DataLoader

    data: Any = import_module("litgpt.data.base")
    style: Any = import_module("litgpt.prompts").PromptStyle

    class Chat(style):  # type: ignore[misc]
        def apply(self, prompt: str, **_: Any) -> str:
            return f"<|im_start|>user\n{prompt}<|im_end|><|im_start|>assistant\n"

    class Rows(data.DataModule):  # type: ignore[misc]
        prompt_style = Chat()

        def connect(
            self, tokenizer: Any = None, batch_size: int = 1, max_seq_length: int | None = None, **_: Any
        ) -> None:
            self.tokenizer, self.size = tokenizer, batch_size
            self.longest = max_seq_length or -1

        def train_dataloader(self) -> Any:
            pairs = [{"instruction": prompt, "output": answer} for prompt, answer in job.pairs()]
            dataset = data.SFTDataset(
                pairs,
                self.tokenizer,
                self.prompt_style,
                max_seq_length=self.longest,
                mask_prompt=job.tool != "litgpt",
            )
            job.check(len(row["input_ids"]) for row in dataset)
            return DataLoader(
                dataset, batch_size=self.size, collate_fn=data.get_sft_collate_fn(max_seq_length=self.longest)
            )

        val_dataloader = train_dataloader

    return Rows()


class Steady:
    """A schedule that changes nothing and tells the watch about every step."""

    def __init__(self, watch: Watch, rate: float) -> None:
        self.watch, self.rate = watch, rate

    def step(self) -> None:
        """Count a step."""
        self.watch.step()

    def get_last_lr(self) -> list[float]:
        """What LitGPT logs."""
        return [self.rate]


def main(path: str) -> None:
    """Train one job."""
    job = Job.read(path)
    watch = Watch(job)
    recipe: Any = import_module("litgpt.finetune.lora")
    args: Any = import_module("litgpt.args")
    recipe.get_lr_scheduler = lambda *_, **__: Steady(watch, job.learning_rate)
    recipe.merge_lora = lambda *_, **__: None  # the adapter is judged as it is
    out = Path(job.out) / "lora"
    os.chdir(job.out)
    recipe.setup(
        checkpoint_dir=converted(job),
        out_dir=out,
        precision={"bf16": "bf16-mixed", "fp32": "32-true"}[job.dtype],
        lora_r=job.r,
        lora_alpha=2 * job.r,
        lora_dropout=0.0,
        **{f"lora_{part}": name in job.targets for part, name in PARTS.items()},
        data=rows_of(job),
        train=args.TrainArgs(
            global_batch_size=job.batch,
            micro_batch_size=job.micro,
            lr_warmup_steps=0,
            epochs=1_000_000,
            max_steps=job.steps,
            max_seq_length=job.length,
            log_interval=job.batch // job.micro,
        ),
        eval=args.EvalArgs(interval=1_000_000, max_new_tokens=1, final_validation=False),
        optimizer={
            "class_path": "torch.optim.AdamW",
            "init_args": {"lr": job.learning_rate, "weight_decay": 0.0},
        },
        seed=job.seed,
    )
    watch.done(to_peft(job, out / "final" / "lit_model.pth.lora"), litgpt=_version())


def to_peft(job: Job, file: Path) -> Path:
    """Write the adapter that LitGPT saved with PEFT's names, for the judge.

    LitGPT keeps query, key and value in one matrix: their ``A`` are stacked, ``r`` rows each, and so are their ``B``.
    """
    import torch
    from safetensors.torch import save_file

    config = json.loads((Path(job.model) / "config.json").read_text(encoding="utf-8"))
    size = config["hidden_size"] // config["num_attention_heads"]
    heads = {"q_proj": "num_attention_heads", "k_proj": "num_key_value_heads", "v_proj": "num_key_value_heads"}
    sizes = {name: config[key] * size for name, key in heads.items() if name in job.targets}
    saved = torch.load(file, weights_only=True)["model"]
    named: dict[str, torch.Tensor] = {}
    put = partial(_put, named)
    for name, weight in saved.items():
        _, _, layer, *inner, which = name.split(".")
        module = ".".join(inner)
        if module == "attn.qkv":
            parts = weight.split(job.r) if which == "lora_A" else weight.split(list(sizes.values()))
            for target, part in zip(sizes, parts, strict=True):
                put(layer, f"self_attn.{target}", which, part)
        else:
            put(layer, LINEAR[module], which, weight)
    folder = Path(job.out) / "adapter"
    folder.mkdir()
    save_file(named, folder / "adapter_model.safetensors")
    facts = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "r": job.r, "lora_alpha": 2 * job.r}
    facts |= {"lora_dropout": 0.0, "target_modules": job.targets, "base_model_name_or_path": job.model}
    (folder / "adapter_config.json").write_text(json.dumps(facts), encoding="utf-8")
    return folder


def _put(named: dict[str, Any], layer: str, module: str, which: str, weight: Any) -> None:
    named[f"base_model.model.model.layers.{layer}.{module}.{which}.weight"] = weight.float().clone().contiguous()


def _version() -> str:
    from importlib.metadata import version

    return version("litgpt")


if __name__ == "__main__":
    if sys.argv[1] == "--prepare":
        prepare(Job.read(sys.argv[2]))
    else:
        main(sys.argv[1])
