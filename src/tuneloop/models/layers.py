"""Find layers of a network by what they are, by their names and by the block they stand in."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from tuneloop.errors import TrainingError

if TYPE_CHECKING:
    from torch import nn


def linear_layers(model: nn.Module) -> dict[str, nn.Module]:
    """Linear layers by name, without the output head or a classifier's; fused experts of a mixture are not among them.

    Args:
        model: A model of transformers, with or without LoRA layers.
    """
    from peft.tuners.lora import LoraLayer
    from peft.utils import ModulesToSaveWrapper
    from torch import nn
    from transformers.pytorch_utils import Conv1D

    heads = [model.get_output_embeddings(), *map(model.get_submodule, classifier_head(model))]  # type: ignore[operator]
    layers: dict[str, nn.Module] = {}
    passed: set[nn.Module] = set()
    for name, module in model.named_modules():
        if module in passed:
            continue
        if module in heads or isinstance(module, (nn.Linear, Conv1D, LoraLayer, ModulesToSaveWrapper)):
            passed.update(module.modules())
        if module not in heads and isinstance(module, (nn.Linear, Conv1D, LoraLayer)):
            layers[name] = module
    return layers


def vocabulary_size(model: Any) -> int:
    """Rows of a model's embeddings, those kept in reserve included, whatever an adapter put around them."""
    end = model.get_input_embeddings()
    rows: int = getattr(end, "original_module", end).num_embeddings
    return rows


def sizes(layer: Any) -> tuple[int, int]:
    """Inputs and outputs of a linear layer, as GPT-2 keeps it too; of a quantised one the weight does not tell."""
    layer = getattr(layer, "original_module", layer)  # inside what PEFT puts around modules that learn
    if hasattr(layer, "in_features"):
        return layer.in_features, layer.out_features
    rows, columns = layer.weight.shape
    return rows, columns


def classifier_head(model: Any) -> list[str]:
    """Names of the modules that make a classifier of a network: what stands beside it, and its pooler.

    Such modules are drawn anew where a base has none, so every adapter trains and saves them whole.

    Args:
        model: A model of transformers.

    Returns:
        The names; none of a language model, whose head was pretrained.
    """
    if model.get_output_embeddings() is not None:
        return []
    prefix = model.base_model_prefix
    beside = [name for name, _ in model.named_children() if name != prefix]
    inside = [f"{prefix}.{name}" for name, _ in model.base_model.named_children() if name == "pooler"]
    return [name for name in (*beside, *inside) if any(True for _ in model.get_submodule(name).parameters())]


def know_padding(model: Any, pad_id: int) -> None:
    """Tell a classifier's configuration which id fills rows up; other models are left as they are.

    Decoders take the label from the last token that is no padding, and know padding by its id alone.
    """
    if classifier_head(model):
        model.config.get_text_config().pad_token_id = pad_id


def blocks(model: Any) -> list[str]:
    """Names of the network's blocks, lowest first.

    Args:
        model: A model of transformers.

    Raises:
        TrainingError: No list of modules is as long as the configuration says that there are blocks.
    """
    from torch import nn

    count = model.config.get_text_config(decoder=True).num_hidden_layers
    for name, module in model.named_modules():
        if isinstance(module, nn.ModuleList) and len(module) == count:
            return [f"{name}.{index}" for index in range(count)]
    raise TrainingError(
        f"the {count} blocks of {type(model).__name__} are not in one list, so they cannot be told apart",
        where="train.adapter",
        fix="choose the layers by name: train.adapter.lora.target_modules",
    )


def ending(names: Iterable[str], end: str) -> set[str]:
    """Those dotted names that end with some whole words.

    Example:
        >>> ending(["model.norm", "layers.0.input_layernorm"], "norm")
        {'model.norm'}
    """
    return {name for name in names if name == end or name.endswith(f".{end}")}


def with_ends(model: nn.Module, ends: Iterable[str], *, where: str) -> set[str]:
    """Names of the modules with weights that end with the given words; every end must match something.

    Args:
        model: The network.
        ends: Ends of module names, such as ``embed_tokens`` or ``model.norm``.
        where: The option that holds them.

    Raises:
        TrainingError: An end matches no module that has weights.
    """
    weighty = {name for name, module in model.named_modules() if name and next(module.parameters(), None) is not None}
    chosen: set[str] = set()
    for end in ends:
        found = ending(weighty, end)
        if not found:
            there = sorted({re.sub(r".*\.", "", name) for name in weighty if not name.rpartition(".")[2].isdigit()})
            raise TrainingError(
                f"{end!r} matches no module of the model that has weights",
                where=where,
                fix=f"choose among {', '.join(there)}",
            )
        chosen |= found
    return chosen
