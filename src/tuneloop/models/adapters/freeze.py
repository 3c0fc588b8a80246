"""Freeze: only the top blocks of the model learn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, final

from pydantic import Field

from tuneloop.errors import TrainingError
from tuneloop.models.adapters import Adapter
from tuneloop.models.layers import blocks, classifier_head, with_ends

if TYPE_CHECKING:
    from torch import nn


@final
class Freeze(Adapter):
    """Trains the top blocks of the model whole and freezes all else.

    No gradient is computed below the lowest weight that learns, so few blocks cost little. The model is saved whole.
    """

    freeze_trainable_layers: int = Field(2, ge=1)
    """Blocks that learn, counted from the top."""
    freeze_extra_modules: list[str] | None = Field(None, min_length=1)
    """Modules that learn too, by ends of their names: ``[norm, lm_head]``. Shared weights learn in both places."""

    def attach(self, model: nn.Module) -> nn.Module:
        """Free the chosen weights; an adapter that the model already carries is merged into it first.

        Raises:
            TrainingError: The model has fewer blocks, a name matches no module, the model is quantised, or it was
                given new tokens that would not learn.
        """
        from tuneloop.models.merge import merged
        from tuneloop.models.quantized import quantized_layers
        from tuneloop.models.vocabulary import all_learn

        if quantized_layers(model):
            self.beside_quantized()
        plain: nn.Module = merged(model)
        names = blocks(plain)
        if self.freeze_trainable_layers > len(names):
            raise TrainingError(
                f"freeze_trainable_layers is {self.freeze_trainable_layers}, but the model has {len(names)} blocks",
                where="train.adapter.freeze.freeze_trainable_layers",
                fix=f"give at most {len(names)}, or write adapter: full",
            )
        where = "train.adapter.freeze.freeze_extra_modules"
        extra = with_ends(plain, self.freeze_extra_modules or [], where=where)
        plain.requires_grad_(False)
        for name in [*names[-self.freeze_trainable_layers :], *extra, *classifier_head(plain)]:
            plain.get_submodule(name).requires_grad_(True)
        all_learn(plain, where=where)
        return plain.train()

    def acts(self, model: nn.Module) -> dict[str, Any]:
        """Read from the weights which blocks learn whole, and what learns outside of the blocks."""
        names = blocks(model)
        learning = {name for name, weight in model.named_parameters() if weight.requires_grad}
        inside = tuple(f"{name}." for name in names)
        whole = [name for name in names if all(p.requires_grad for p in model.get_submodule(name).parameters())]
        return {"blocks": len(names), "learn": whole, "others": sorted(n for n in learning if not n.startswith(inside))}
