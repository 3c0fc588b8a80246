"""Find layers of a network by what they are, by their names and by the block they stand in."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from tuneloop.errors import TrainingError

if TYPE_CHECKING:
    from torch import nn


def linear_layers(model: nn.Module) -> dict[str, nn.Module]:
    """Linear layers by name, without the output head; fused experts of a mixture are not among them.

    Args:
        model: A model of transformers, with or without LoRA layers.
    """
    from peft.tuners.lora import LoraLayer
    from peft.utils import ModulesToSaveWrapper
    from torch import nn
    from transformers.pytorch_utils import Conv1D

    head = model.get_output_embeddings()  # type: ignore[operator]
    layers: dict[str, nn.Module] = {}
    passed: set[nn.Module] = set()
    for name, module in model.named_modules():
        if module in passed:
            continue
        if module is head or isinstance(module, (nn.Linear, Conv1D, LoraLayer, ModulesToSaveWrapper)):
            passed.update(module.modules())
        if module is not head and isinstance(module, (nn.Linear, Conv1D, LoraLayer)):
            layers[name] = module
    return layers


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
