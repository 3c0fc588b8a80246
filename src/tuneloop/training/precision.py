"""Device and arithmetic of a run: which machine part computes, and in which number format."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal

import torch
from torch import nn

from tuneloop.errors import TrainingError
from tuneloop.models.quantized import compute_in

SMALL = 20_000_000
"""Below so many parameters bfloat16 gains little on a CPU: the casts cost as much as the products save."""


class Precision:
    """The number format of forward and backward passes; trained weights stay fp32 in any of them.

    ``auto`` depends on the machine and the model's size alone, never on a timing: on CUDA, bf16 where the
    device has it, else fp32; on a CPU, bf16 where it has instructions for it (AVX512-BF16 or AMX) and the
    model has 20 million parameters or more, else fp32; elsewhere fp32.

    Args:
        wish: ``auto``, ``fp32``, ``bf16`` or ``fp16``.
        device: Where the run computes.
        parameters: Parameters of the model.

    Raises:
        TrainingError: fp16 away from CUDA, where its loss scaling cannot act.
    """

    def __init__(self, wish: Literal["auto", "fp32", "bf16", "fp16"], device: torch.device, parameters: int) -> None:
        if wish == "fp16" and device.type != "cuda":
            raise TrainingError(
                f"fp16 needs a CUDA device, this run is on {device.type}",
                where="train.precision",
                fix="write precision: auto (or bf16, which needs no loss scaling)",
            )
        self.name = _choose(device, parameters) if wish == "auto" else wish
        self.device = device
        self.scaler = torch.amp.GradScaler("cuda") if self.name == "fp16" else None

    @property
    def dtype(self) -> torch.dtype:
        """What products are computed in."""
        return {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[self.name]

    def forward(self) -> AbstractContextManager[Any]:
        """Wrap a forward pass."""
        if self.name == "fp32":
            return nullcontext()
        return torch.autocast(self.device.type, dtype=self.dtype)

    def store_frozen(self, model: nn.Module) -> None:
        """Keep frozen matrices in the format they are computed in, at half the memory and without a cast at every use.

        Beside an adapter this holds for all of them, the embeddings too, so that the whole network computes in that
        format. Where weights of the base itself learn, embeddings stay in fp32, and with them what flows from block
        to block.
        """
        compute_in(model, self.dtype)
        if self.name == "fp32":
            return
        whole = hasattr(model, "peft_config")
        shared = {id(module.weight) for module in model.modules() if isinstance(module, nn.Embedding)}
        for module in model.modules():
            if not isinstance(module, (nn.Linear, nn.Embedding)) or module.weight.requires_grad:
                continue
            if module.weight.is_floating_point() and (whole or id(module.weight) not in shared):
                module.weight.data = module.weight.data.to(self.dtype)
        if whole and self.device.type == "cpu":
            for weight in model.parameters():
                if (
                    weight.dtype == torch.float32
                ):  # a single norm that lies in the mapped file keeps all of it in memory
                    weight.data = weight.data.clone()


def _choose(device: torch.device, parameters: int) -> Literal["fp32", "bf16"]:
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    if device.type != "cpu" or parameters < SMALL:
        return "fp32"
    return "bf16" if cpu_has_bf16() else "fp32"


def cpu_has_bf16() -> bool:
    """Whether this processor has instructions for bfloat16 products."""
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
