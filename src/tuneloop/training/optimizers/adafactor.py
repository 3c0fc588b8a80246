"""Adafactor: the mean square of the gradient by rows and columns, in little memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, final

from pydantic import Field

from tuneloop.training.optimizers import Optimizer

if TYPE_CHECKING:
    import torch


@final
class Adafactor(Optimizer):
    """The gradient over the root of its mean square, of which only the means of rows and columns are kept.

    A matrix of ``n`` by ``m`` weights keeps ``n + m`` numbers where AdamW keeps ``2 n m``; there is no momentum.
    With ``V`` from the two means and ``U = G / sqrt(V)``, a step is ``rate * U / max(1, rms(U) / clip_threshold)``.
    The rate is the schedule's alone: the paper's own (``relative_step``) is off.

    Source:
        Shazeer and Stern, Adafactor, 2018, algorithms 4 and 5; decoupled weight decay as in transformers.
    """

    decay_rate: float = Field(-0.8, ge=-1, lt=0)
    """The mean of the square forgets with ``1 - step ** decay_rate``."""
    clip_threshold: float = Field(1.0, gt=0)
    """The root mean square that a step, before the rate, is scaled down to."""
    scale_parameter: bool = False
    """Multiply the rate by the root mean square of the matrix, at least 0.001; a LoRA's ``B``, which starts at zero,
    then hardly moves."""

    def build(self, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
        """Make transformers' ``Adafactor`` with a rate of its own."""
        from transformers.optimization import Adafactor as Factored

        made: torch.optim.Optimizer = Factored(
            groups,
            lr=self.learning_rate,
            decay_rate=self.decay_rate,
            clip_threshold=self.clip_threshold,
            scale_parameter=self.scale_parameter,
            relative_step=False,
        )
        return made
