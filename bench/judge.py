"""One judge for all trainers: the held-out loss of an adapter, by plain transformers and PEFT in fp32."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench.material import Material, ids_of


def held_out_losses(material: Material, adapters: dict[str, str]) -> dict[str, float]:
    """Mean negative log-likelihood of the held-out answers, in nats per token, every row alone.

    Args:
        material: Model and held-out rows.
        adapters: Folder of each tool's adapter.

    Returns:
        The loss by tool, and of the base as ``base``.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(material.model)
    rows = [ids_of(tokenizer, row) for row in material.held_out]
    losses = {}
    for tool, folder in {"base": None, **adapters}.items():
        model = AutoModelForCausalLM.from_pretrained(material.model, dtype="float32")
        if folder is not None:
            model = _adapted(model, Path(folder))
        losses[tool] = _loss(model.eval(), rows)
    return losses


def _adapted(model: Any, folder: Path) -> Any:
    from peft import PeftModel

    return PeftModel.from_pretrained(model, str(folder))


def _loss(model: Any, rows: list[tuple[list[int], list[int]]]) -> float:
    import torch

    total, tokens = 0.0, 0
    with torch.inference_mode():
        for asked, whole in rows:
            ids = torch.tensor([whole])
            logits = model(input_ids=ids, use_cache=False).logits[0, len(asked) - 1 : -1]
            total += torch.nn.functional.cross_entropy(logits.double(), ids[0, len(asked) :], reduction="sum").item()
            tokens += len(whole) - len(asked)
    return total / tokens
