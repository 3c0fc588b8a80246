"""Whether ours computes the right loss and gradient: beside plain transformers and PEFT, in fp32 and in its precision.

A figure of speed is worth nothing where the gradient is another. The truth is plain fp32 on the same device; what a
lower precision costs is read off plain transformers in that precision, and ours may cost about as much.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from bench.drivers.job import Job
from bench.drivers.ours import sealed, section
from bench.drivers.trainer import encode, lora


def fill(model: Any) -> None:
    """Put the same noise into the adapters' ``B`` of any model, since with zeros half of the gradient is zero."""
    import torch

    draw = torch.Generator().manual_seed(7)
    for name, weight in sorted(model.named_parameters()):
        if "lora_" in name:
            with torch.no_grad():
                weight.copy_(torch.randn(weight.shape, generator=draw) * 0.02)


def ours(job: Job) -> tuple[float, dict[str, Any]]:
    """Loss and gradients of all rows as one step of ours."""
    from tuneloop.models import find_base
    from tuneloop.models.section import ModelSection
    from tuneloop.monitoring.progress import Silent
    from tuneloop.monitoring.section import MonitorSection
    from tuneloop.parts import find
    from tuneloop.store import Store
    from tuneloop.tasks import Task
    from tuneloop.training import loop
    from tuneloop.training.ready import open_to_learn, ready
    from tuneloop.training.section import TrainSection

    store = Store(Path(job.out) / "store")
    dataset, model, task = sealed(store, job.pairs()), ModelSection(base=job.model), find(Task, "sft")()
    base = find_base(model, folder=Path(job.out), store=store)
    asked = TrainSection.model_validate({**section(job), "max_grad_norm": None})
    loaded = open_to_learn(asked, task, model, base, store, job.seed, None)
    learner = ready(asked, loaded, task, dataset, MonitorSection(), store, job.seed, Silent())
    fill(loaded.model)
    learner.model.train()
    learned = loop.learn(learner, list(range(len(job.lengths))))
    return learned.loss, gradients(learner.model)


def plain(job: Job, dtype: str) -> tuple[float, dict[str, Any]]:
    """Loss and gradients of all rows, one after the other, by transformers and PEFT."""
    import torch
    from peft import get_peft_model
    from transformers import AutoModelForCausalLM, AutoTokenizer

    device = "cuda" if torch.cuda.is_available() else "cpu"
    tokenizer = AutoTokenizer.from_pretrained(job.model)
    rows = [encode(tokenizer, prompt, answer, job.length) for prompt, answer in job.pairs()]
    supervised = sum(label != -100 for row in rows for label in row["labels"])
    model = AutoModelForCausalLM.from_pretrained(job.model, dtype="bfloat16" if dtype == "bf16" else "float32")
    model = get_peft_model(model.to(device), lora(job)).train()
    fill(model)
    total = 0.0
    for row in rows:
        ids, labels = (torch.tensor([row[key]], device=device) for key in ("input_ids", "labels"))
        with torch.autocast(device, dtype=torch.bfloat16, enabled=dtype == "bf16"):
            logits = model(input_ids=ids, use_cache=False).logits[0, :-1].float()
        loss = torch.nn.functional.cross_entropy(logits, labels[0, 1:], reduction="sum") / supervised
        torch.autograd.backward(loss)
        total += loss.item()
    return total, gradients(model)


def gradients(model: Any) -> dict[str, Any]:
    """The gradients of the adapters by name, on the processor."""
    found = {name: weight.grad for name, weight in model.named_parameters() if weight.grad is not None}
    return {name[name.index("layers.") :]: grad.float().cpu() for name, grad in found.items() if "lora_" in name}


def distance(one: dict[str, Any], other: dict[str, Any]) -> float:
    """How far two gradients are apart, by the length of the second.

    Raises:
        RuntimeError: They are of other weights.
    """
    if one.keys() != other.keys():
        raise RuntimeError(f"gradients of other weights: {sorted(one.keys() ^ other.keys())[:4]}")
    apart = sum((one[name] - other[name]).double().square().sum().item() for name in one)
    length = sum(grad.double().square().sum().item() for grad in other.values())
    return float((apart / length) ** 0.5)


def main(path: str) -> None:
    """Compare one job's rows, and write what was found."""
    import torch

    torch.backends.cuda.matmul.allow_tf32 = False
    job = Job.read(path)
    truth, true = plain(job, "fp32")
    loss, mine = ours(job)
    usual, theirs = (truth, true) if job.dtype == "fp32" else plain(job, job.dtype)
    found = {
        "loss": truth,
        "loss_error_ours": abs(loss - truth) / truth,
        "loss_error_plain": abs(usual - truth) / truth,
        "gradient_error_ours": distance(mine, true),
        "gradient_error_plain": distance(theirs, true),
    }
    Path(job.out, "outcome.json").write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
