"""What all tasks of causal language models share: the model class, the batch and the loss."""

from __future__ import annotations

from abc import ABC
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tuneloop.tasks import Batch, Example, Task

if TYPE_CHECKING:
    import torch
    from torch import nn


class Causal(Task, ABC):
    """A task that predicts each token from those before it."""

    def load(self, config: Any, folder: str | None, **options: Any) -> nn.Module:
        """Open ``AutoModelForCausalLM`` in fp32."""
        from transformers import AutoModelForCausalLM

        from tuneloop.models.load import open_weights

        return open_weights(AutoModelForCausalLM, config, folder, **options)

    def collate(self, examples: Sequence[Example], pad: int) -> Batch:
        """Pad on the right; padding has mask 0 and label -100, whatever its id."""
        import torch

        shape = (len(examples), max(len(example.ids) for example in examples))
        ids = torch.full(shape, pad, dtype=torch.int64)
        mask = torch.zeros(shape, dtype=torch.int64)
        labels = torch.full(shape, -100, dtype=torch.int64)
        for row, example in enumerate(examples):
            length = len(example.ids)
            ids[row, :length] = torch.tensor(example.ids)
            mask[row, :length] = 1
            learn = torch.tensor(example.learn, dtype=torch.bool)
            labels[row, :length] = torch.where(learn, ids[row, :length], -100)
        return Batch(ids, mask, labels, int((labels[:, 1:] != -100).sum()), int(mask.sum()))

    def loss(self, model: nn.Module, batch: Batch) -> torch.Tensor:
        """Cross-entropy of every supervised token given the tokens before it, summed."""
        from tuneloop.models.logits import summed_loss

        return summed_loss(model, batch.ids, batch.labels)
