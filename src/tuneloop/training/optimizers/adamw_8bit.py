"""AdamW with states of 8 bits: a quarter of the memory that its means take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, final

from pydantic import Field

from tuneloop.errors import MissingPackage, TrainingError
from tuneloop.parts import install
from tuneloop.training.optimizers import Optimizer

if TYPE_CHECKING:
    import torch


@final
class AdamW8bit(Optimizer):
    """AdamW of bitsandbytes, whose two running means are kept in 8 bits, block by block of 256 weights.

    It takes 2 bytes a weight where AdamW takes 8; on a CPU its step takes many times as long as AdamW's. It needs the
    package bitsandbytes: ``pip install 'tuneloop[quant]'``.

    Source:
        Dettmers et al., 8-bit Optimizers via Block-wise Quantization, 2021; paged states: Dettmers et al., QLoRA, 2023,
        section 3.
    """

    betas: tuple[float, float] = (0.9, 0.999)
    """Decay of the running means of the gradient and of its square."""
    eps: float = Field(1e-8, gt=0)
    """Added to the root of the second mean."""
    min_8bit_size: int = Field(4096, ge=1)
    """Weights of the smallest matrix whose states are kept in 8 bits; smaller ones keep theirs in fp32."""
    paged: bool = False
    """Let the states of matrices of 100,000 weights or more move to the computer's memory when a CUDA device is
    full."""

    def build(self, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
        """Make ``bitsandbytes.optim.AdamW8bit``.

        Raises:
            MissingPackage: bitsandbytes is not installed.
            TrainingError: ``paged`` away from CUDA, where it cannot act.
        """
        device = groups[0]["params"][0].device.type
        if self.paged and device != "cuda":
            raise TrainingError(
                f"paged states need a CUDA device, this run is on {device}",
                where="train.optimizer.adamw_8bit.paged",
                fix="leave paged out: the states lie in the computer's memory already",
            )
        try:
            from tuneloop.training.optimizers._eight_bit import AdamW8bitSteps
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] != "bitsandbytes":
                raise
            raise MissingPackage(
                "adamw_8bit needs the package 'bitsandbytes', which is not installed",
                where="train.optimizer.adamw_8bit",
                fix=f"{install('bitsandbytes')}, or write optimizer: adamw",
            ) from error
        made: torch.optim.Optimizer = AdamW8bitSteps(
            groups,
            lr=self.learning_rate,
            betas=self.betas,
            eps=self.eps,
            min_8bit_size=self.min_8bit_size,
            is_paged=self.paged,
        )
        return made
