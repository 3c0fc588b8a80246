"""Look at a model before training: its size, and the memory that training will take, without loading weights.

The model is built on torch's *meta* device from ``config.json`` alone: all shapes, no numbers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tuneloop.models.activations import activations
from tuneloop.models.adapters import Adapter
from tuneloop.models.kernels.head import HELD, TILE
from tuneloop.models.layers import know_padding, sizes, vocabulary_size
from tuneloop.models.load import Loads, read_config
from tuneloop.models.quantized import quantizable
from tuneloop.models.quantizers import Quantizer
from tuneloop.models.quiet import quietly
from tuneloop.models.vocabulary import add_rows

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
    state_bytes: Callable[[nn.Module], int] | None = None,
    dtype: torch.dtype = torch.float32,
    prepare: Callable[[nn.Module], None] | None = None,
    packed: bool = False,
    recompute: bool = False,
    quantization: Quantizer | None = None,
    new_tokens: Sequence[int] = (),
) -> Assessment:
    """Assess a model and the memory of training it.

    Args:
        folder: The model's folder; only ``config.json`` (and a licence) is read.
        task: It knows the model class.
        adapter: What learns.
        rows: Rows that go through the model at once.
        tokens: Tokens of each of these rows.
        learned: Supervised tokens of the batch; by default all but the first of each row.
        state_bytes: Works out the bytes that the optimizer keeps for a model; by default two fp32 numbers a weight.
        dtype: What products are computed in.
        prepare: Puts frozen weights into the format that they are kept in; by default they stay in fp32.
        packed: Whether the rows stand in one stream.
        recompute: Whether blocks are computed again in the backward pass.
        quantization: How the frozen matrices are held, if in few bits.
        new_tokens: Ids of the tokens that the network is given rows for.

    Raises:
        ModelError: The configuration cannot be used.
        TrainingError: The adapter does not fit the model, or blocks cannot be computed again.
    """
    config = read_config(folder)
    model, quantized = _built(config, task, adapter, quantization, new_tokens)
    kept = activations(model, rows, tokens, packed=packed, again=recompute) * dtype.itemsize // FP32
    if prepare is not None:
        prepare(model)
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    text = config.get_text_config()
    return Assessment(
        family=config.model_type,
        architecture=type(inner).__name__,
        parameters=sum(weight.numel() for weight in model.parameters()),
        trainable=_learning(model),
        layers=int(text.num_hidden_layers),
        hidden_size=int(text.hidden_size),
        vocabulary=vocabulary_size(inner),
        context=getattr(text, "max_position_embeddings", None),
        licence=licence_of(folder),
        memory={
            **_weights(model, quantized, state_bytes),
            "activations": kept + _copies(model, dtype),
            "logits": _logits(model, rows * (tokens - 1) if learned is None else learned, dtype.itemsize),
        },
    )


def count_weights(folder: Path, task: Loads) -> int:
    """How many weights a model has, from its configuration alone.

    Args:
        folder: The model's folder.
        task: It knows the model class.

    Raises:
        ModelError: The configuration cannot be used.
    """
    with torch.device("meta"), quietly():
        return sum(weight.numel() for weight in task.load(read_config(folder), None).parameters())


def _built(
    config: Any, task: Loads, adapter: Adapter, quantization: Quantizer | None, new_tokens: Sequence[int]
) -> tuple[Any, dict[int, int]]:
    """The network that learns, and the bytes of each of its matrices that is quantised, by the matrix's ``id``."""
    held: dict[int, int] = {}
    with torch.device("meta"), quietly():
        plain: Any = task.load(config, None)
        know_padding(plain, 0)
        add_rows(plain, list(new_tokens))
        if quantization is not None:
            adapter.beside_quantized()
            for layer in quantizable(plain).values():
                columns, rows = sizes(layer)
                held[id(layer.weight)] = quantization.nbytes(rows, columns)
        return adapter.attach(plain), held


def _weights(model: Any, quantized: dict[int, int], state_bytes: Callable[[nn.Module], int] | None) -> dict[str, int]:
    """Bytes of the weights, and of what learning keeps beside them."""
    learning = _learning(model)
    return {
        "weights": sum(quantized.get(id(weight), _bytes(weight)) for weight in model.parameters()),
        "gradients": FP32 * learning,
        "optimizer": state_bytes(model) if state_bytes else 2 * FP32 * learning,
    }


def _learning(model: Any) -> int:
    return sum(weight.numel() for weight in model.parameters() if weight.requires_grad)


def _bytes(weight: Tensor) -> int:
    return weight.numel() * weight.element_size()


def _copies(model: Any, dtype: torch.dtype) -> int:
    """Bytes of the matrices that learn in fp32, once more in the format they are computed in."""
    if dtype == torch.float32 or hasattr(model, "peft_config"):
        return 0
    return sum(dtype.itemsize * weight.numel() for weight in model.parameters() if weight.requires_grad)


def _logits(model: Any, count: int, size: int) -> int:
    """Bytes of logits and what is formed beside them, at the highest point.

    Args:
        model: The network that learns.
        count: Labelled tokens.
        size: Bytes of a number of the head.
    """
    head = model.get_output_embeddings()
    if head is None:
        return 3 * FP32 * count * int(model.config.num_labels)
    outputs = sizes(head)[1]
    if any(weight.requires_grad for weight in head.parameters()):
        return 3 * FP32 * count * outputs  # they, their log-probabilities and their gradient
    held = min(count, max(1, HELD // outputs))
    return held * (size * outputs + 3 * FP32 * min(outputs, TILE))


def licence_of(folder: Path) -> str:
    """What a model's folder says of its licence: its card's identifier, or the first line of a licence file.

    Args:
        folder: The model's folder.

    Returns:
        Empty where it says nothing.
    """
    card = folder / "README.md"
    if card.is_file():
        found = re.search(r"^license:\s*[\"']?([\w.+-]+)", card.read_text(encoding="utf-8", errors="replace"), re.M)
        if found:
            return found[1]
    for path in sorted(folder.glob("LICEN[CS]E*")):
        lines = [line.strip() for line in path.read_text(encoding="utf-8", errors="replace").splitlines()]
        return next((line for line in lines if line), "")
    return ""
