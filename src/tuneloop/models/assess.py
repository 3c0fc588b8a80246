"""Look at a model before training: its size, and the memory that training will take, without loading weights.

The model is built on torch's *meta* device from ``config.json`` alone: all shapes, no numbers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tuneloop.models.adapters import Adapter
from tuneloop.models.load import Loads, read_config
from tuneloop.models.quiet import quietly

FP32 = 4


@dataclass(frozen=True, slots=True)
class Assessment:
    """What a model is, and what training it takes.

    Attributes:
        family: ``model_type`` of the configuration.
        architecture: The model's class.
        parameters: All weights, shared ones counted once, the adapter included.
        trainable: Weights that learn.
        layers: Blocks of the network.
        hidden_size: Width of the network.
        vocabulary: Rows of the embeddings.
        context: Tokens that the model was made for; None where the configuration does not say.
        licence: What the folder says of it; empty if nothing.
        memory: Bytes by part: ``weights``, ``gradients``, ``optimizer``, ``activations``, ``logits``.
    """

    family: str
    architecture: str
    parameters: int
    trainable: int
    layers: int
    hidden_size: int
    vocabulary: int
    context: int | None
    licence: str
    memory: dict[str, int]

    @property
    def bytes(self) -> int:
        """Memory of all parts together."""
        return sum(self.memory.values())


def assess(
    folder: Path,
    task: Loads,
    adapter: Adapter,
    *,
    rows: int,
    tokens: int,
    learned: int | None = None,
    states: int = 2,
    activation_bytes: int = FP32,
) -> Assessment:
    """Assess a model and the memory of training it.

    Args:
        folder: The model's folder; only ``config.json`` (and a licence) is read.
        task: The recipe's task; it knows the model class.
        adapter: What learns.
        rows: Rows that go through the model at once.
        tokens: Tokens of each of these rows.
        learned: Supervised tokens of the batch; by default all but the first of each row.
        states: fp32 numbers that the optimizer keeps for each trainable weight; AdamW keeps 2.
        activation_bytes: Bytes of one number in the forward pass: 4, or 2 with mixed precision.

    Raises:
        ModelError: The configuration cannot be used.
        TrainingError: The adapter does not fit the model.
    """
    config = read_config(folder)
    text = config.get_text_config()
    with torch.device("meta"), quietly():
        model: Any = adapter.attach(task.load(config, None))
        activations = _activations(model, rows, tokens, int(text.num_attention_heads)) * activation_bytes // FP32
    parameters = list(model.parameters())
    total = sum(p.numel() for p in parameters)
    trainable = sum(p.numel() for p in parameters if p.requires_grad)
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    vocabulary = int(inner.get_input_embeddings().num_embeddings)
    supervised = rows * (tokens - 1) if learned is None else learned
    return Assessment(
        family=config.model_type,
        architecture=type(inner).__name__,
        parameters=total,
        trainable=trainable,
        layers=int(text.num_hidden_layers),
        hidden_size=int(text.hidden_size),
        vocabulary=vocabulary,
        context=getattr(text, "max_position_embeddings", None),
        licence=_licence(folder),
        memory={
            "weights": FP32 * total,
            "gradients": FP32 * trainable,
            "optimizer": FP32 * states * trainable,
            "activations": activations,
            # logits, their log-probabilities and their gradient, all in fp32
            "logits": 3 * FP32 * supervised * vocabulary,
        },
    )


def _activations(model: Any, rows: int, tokens: int, heads: int) -> int:
    """Bytes that autograd keeps for the backward pass up to the output head, each tensor counted once.

    Attention matrices are left out: on real devices the attention kernels do not keep them.
    """
    kept: dict[int, Tensor] = {}
    matrix = rows * heads * tokens * tokens

    def pack(tensor: Tensor) -> Tensor:
        square = tensor.shape[-2:] == (tokens, tokens) and tensor.numel() == matrix
        if not isinstance(tensor, nn.Parameter) and not square:
            kept.setdefault(tensor.untyped_storage()._cdata, tensor)
        return tensor

    def first_only(_: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return (inputs[0][:, :1],)

    hook = model.get_output_embeddings().register_forward_pre_hook(first_only)
    ids = torch.zeros((rows, tokens), dtype=torch.int64)
    seen = torch.ones((1, 1, tokens, tokens), dtype=torch.bool)  # given whole, so that no number is looked at
    try:
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            model(input_ids=ids, attention_mask=seen, use_cache=False)
    finally:
        hook.remove()
    return sum(tensor.untyped_storage().nbytes() for tensor in kept.values())


def _licence(folder: Path) -> str:
    card = folder / "README.md"
    if card.is_file():
        found = re.search(r"^license:\s*[\"']?([\w.+-]+)", card.read_text(encoding="utf-8", errors="replace"), re.M)
        if found:
            return found[1]
    for path in sorted(folder.glob("LICEN[CS]E*")):
        lines = [line.strip() for line in path.read_text(encoding="utf-8", errors="replace").splitlines()]
        return next((line for line in lines if line), "")
    return ""
