"""Adapters whose first values are taken out of the base weights, saved as plain LoRA.

PiSSA and OLoRA start from a part ``s B0 A0`` of a weight ``W`` and train beside the rest ``W - s B0 A0``. What was
learned is then ``s (B A - B0 A0) = s [B, -B0] [A; A0]``: a LoRA of twice the rank on the untouched base. Saved so,
it needs no second copy of the base, and no decomposition when it is opened.

Source:
    Meng et al., PiSSA, 2024, appendix C (conversion to LoRA); ``[ ]`` joins columns of B and rows of A.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

NAME = "default"


def remember_first(model: nn.Module) -> None:
    """Keep the first matrices beside each adapted layer; they are in no state dict and in no checkpoint.

    Args:
        model: A PEFT model that has just got its adapter.
    """
    for layer in _adapted(model):
        for side in ("A", "B"):
            first = getattr(layer, f"lora_{side}")[NAME].weight.detach().clone()
            layer.register_buffer(f"first_{side}", first, persistent=False)


def as_plain(model: Any) -> tuple[Any, dict[str, Tensor] | None]:
    """Give configuration and weights of the plain LoRA that equals the adapter on the untouched base.

    Args:
        model: A PEFT model.

    Returns:
        A copy of its configuration, and its state dict; None where nothing was taken out of the base,
        so that the model's own state dict is right.
    """
    config = copy.deepcopy(model.peft_config[NAME])
    changed = {name: layer for name, layer in model.named_modules() if hasattr(layer, "first_A")}
    if not changed:
        return config, None
    state: dict[str, Tensor] = model.state_dict()
    for name, layer in changed.items():
        a, b = layer.lora_A[NAME].weight, layer.lora_B[NAME].weight
        state[f"{name}.lora_A.{NAME}.weight"] = torch.cat([a, layer.first_A], dim=0).detach()
        state[f"{name}.lora_B.{NAME}.weight"] = torch.cat([b, -layer.first_B], dim=1).detach()
    config.init_lora_weights = True
    config.r, config.lora_alpha = doubled(config.r, config.lora_alpha, config.use_rslora)
    return config, state


def doubled(r: int, lora_alpha: float, use_rslora: bool) -> tuple[int, float]:
    """Twice the rank, and the ``lora_alpha`` that then gives the same scale.

    Example:
        >>> doubled(8, 16, use_rslora=False)
        (16, 32)
    """
    return 2 * r, lora_alpha * (2**0.5 if use_rslora else 2)


def _adapted(model: nn.Module) -> list[nn.Module]:
    from peft.tuners.lora import LoraLayer

    return [module for module in model.modules() if isinstance(module, LoraLayer)]
