"""Full: every weight of the model learns."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from tuneloop.models.adapters import Adapter

if TYPE_CHECKING:
    from torch import nn


@final
class Full(Adapter):
    """Trains every weight of the model.

    It needs gradients and optimizer state for all of them: about 16 bytes a parameter with AdamW in fp32,
    against 4 for a frozen one.
    """

    def attach(self, model: nn.Module) -> nn.Module:
        """Free all weights; an adapter that the model already carries is merged into it first.

        Raises:
            TrainingError: The model is quantised.
        """
        from tuneloop.models.merge import merged
        from tuneloop.models.quantized import quantized_layers

        if quantized_layers(model):
            self.beside_quantized()
        plain: nn.Module = merged(model)
        return plain.requires_grad_(True).train()
