"""What all tasks of causal language models share: the model class, the batch and the loss."""

from __future__ import annotations

from abc import ABC
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from tuneloop.tasks import Batch, Task

if TYPE_CHECKING:
    import torch
    from torch import nn


class Causal(Task, ABC):
    """A task that predicts each token from those before it."""

    packs: ClassVar[bool] = True

    def load(self, config: Any, folder: str | None, **options: Any) -> nn.Module:
        """Open ``AutoModelForCausalLM`` in fp32."""
        from transformers import AutoModelForCausalLM

        from tuneloop.models.load import open_weights

        return open_weights(AutoModelForCausalLM, config, folder, **options)

    def loss(self, model: nn.Module, batch: Batch) -> torch.Tensor:
        """Cross-entropy of every supervised token given the tokens before it, summed; single ones in ``batch.each``."""
        from tuneloop.models.logits import token_losses

        smoothing = self.smoothing if model.training else 0.0
        losses = token_losses(model, batch.ids, batch.labels, batch.ends, smoothing=smoothing)
        batch.each[:] = [losses.detach()]
        return losses.sum()

    @property
    def smoothing(self) -> float:
        """Share of each target that is spread evenly over the vocabulary while training."""
        return 0.0


class Smoothed(Causal, ABC):
    """A causal task whose targets can be smoothed."""

    label_smoothing_factor: float = Field(0.0, ge=0, lt=1)
    """Share of each target that is spread evenly over all tokens of the vocabulary, in training only: the held-out
    loss stays that of the rows themselves."""

    @property
    def smoothing(self) -> float:
        """The factor of the recipe, as ``label_smoothing`` of torch's ``cross_entropy`` has it."""
        return self.label_smoothing_factor
