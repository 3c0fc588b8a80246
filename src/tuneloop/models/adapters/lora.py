"""LoRA: small matrices beside the frozen weights learn."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, final

from pydantic import Field, field_validator

from tuneloop.errors import TrainingError
from tuneloop.models.adapters import Adapter
from tuneloop.models.quiet import quietly

if TYPE_CHECKING:
    from torch import nn

ALL = "all-linear"


@final
class Lora(Adapter):
    """Adds a product of two small matrices to linear layers; only these learn.

    The layer's output becomes ``W x + (lora_alpha / r) B A x`` with ``A`` of ``r`` rows and ``B`` of ``r`` columns;
    ``B`` starts at zero, so that training starts at the base model.

    Source:
        Hu et al., LoRA: Low-Rank Adaptation of Large Language Models, 2021, section 4.1.
    """

    r: int = Field(8, ge=1)
    """Rank of the added product."""
    lora_alpha: int = Field(16, ge=1)
    """Scale: the product is multiplied by ``lora_alpha / r``."""
    lora_dropout: float = Field(0.05, ge=0, lt=1)
    """Share of the product's inputs set to zero in training."""
    target_modules: list[str] | str = ALL
    """Layers that get one: ends of module names, a regular expression, or ``all-linear`` (all but the output head)."""

    @field_validator("target_modules")
    @classmethod
    def _can_match(cls, value: list[str] | str) -> list[str] | str:
        if not value:
            raise ValueError("no target: give names of layers, or all-linear")
        if isinstance(value, str):
            try:
                re.compile(value)
            except re.error as error:
                raise ValueError(
                    f"{value!r} is no regular expression ({error}); names of layers go in a list"
                ) from None
        return value

    def attach(self, model: nn.Module) -> nn.Module:
        """Freeze the model and add the matrices, through PEFT.

        Args:
            model: The base; or a model with an adapter of the very same options, which then goes on learning.

        Raises:
            TrainingError: A target matches no linear layer, ``r`` exceeds a layer's size, or the model
                already has an adapter with other options.
        """
        from peft import LoraConfig, PeftModel, get_peft_model
        from transformers.pytorch_utils import Conv1D

        if isinstance(model, PeftModel):
            return self._go_on(model)
        layers = _linear_layers(model)
        chosen = self._choose(layers)
        self._rank_fits(chosen)
        config = LoraConfig(
            r=self.r,
            lora_alpha=self.lora_alpha,
            lora_dropout=self.lora_dropout,
            target_modules=sorted(_short(chosen, model)),
            fan_in_fan_out=any(isinstance(layer, Conv1D) for layer in chosen.values()),
            task_type="CAUSAL_LM",
        )
        with quietly():
            adapted: nn.Module = get_peft_model(model, config)
        return adapted.train()

    def _choose(self, layers: dict[str, nn.Module]) -> dict[str, nn.Module]:
        if self.target_modules == ALL:
            return layers
        wanted = [self.target_modules] if isinstance(self.target_modules, str) else self.target_modules
        by_pattern = isinstance(self.target_modules, str)
        chosen: dict[str, nn.Module] = {}
        for target in wanted:
            found = {name: layer for name, layer in layers.items() if _matches(name, target, by_pattern)}
            if not found:
                there = ", ".join(sorted({name.rsplit(".", 1)[-1] for name in layers}))
                raise TrainingError(
                    f"target_modules {target!r} matches no linear layer of the model",
                    where="train.adapter.lora.target_modules",
                    fix=f"choose among {there}, or write all-linear",
                )
            chosen |= found
        return chosen

    def _rank_fits(self, chosen: dict[str, nn.Module]) -> None:
        sizes = {name: min(layer.weight.shape) for name, layer in chosen.items()}  # type: ignore[arg-type]
        name, smallest = min(sizes.items(), key=lambda item: item[1])
        if self.r > smallest:
            raise TrainingError(
                f"r is {self.r}, but {name} has only rank {smallest}: more cannot be learned there",
                where="train.adapter.lora.r",
                fix=f"give at most {smallest}, or leave {name.rsplit('.', 1)[-1]} out of target_modules",
            )

    def _go_on(self, model: Any) -> nn.Module:
        config = model.peft_config["default"]
        base = model.get_base_model()
        layers = _linear_layers(base)
        wanted = {
            "r": self.r,
            "lora_alpha": self.lora_alpha,
            "lora_dropout": self.lora_dropout,
            "target_modules": sorted(self._choose(layers)),
        }
        there = {name: getattr(config, name) for name in ("r", "lora_alpha", "lora_dropout")}
        there["target_modules"] = sorted(name for name in layers if hasattr(base.get_submodule(name), "lora_A"))
        other = [name for name, value in wanted.items() if there[name] != value]
        if other:
            said = "; ".join(f"{name} {there[name]} there, {wanted[name]} in the recipe" for name in other)
            raise TrainingError(
                f"the adapter to go on with has other options: {said}",
                where="train.adapter.lora",
                fix="write the options that the adapter has, or start from the base model",
            )
        going: nn.Module = model.train()
        return going


def _linear_layers(model: nn.Module) -> dict[str, nn.Module]:
    """Linear layers by name, without the output head; fused experts of a mixture are not among them."""
    from peft.tuners.lora import LoraLayer
    from torch import nn
    from transformers.pytorch_utils import Conv1D

    head = model.get_output_embeddings()  # type: ignore[operator]
    layers: dict[str, nn.Module] = {}
    for name, module in model.named_modules():
        inside = any(name.startswith(f"{outer}.") for outer in layers)
        if isinstance(module, (nn.Linear, Conv1D, LoraLayer)) and module is not head and not inside:
            layers[name] = module
    return layers


def _matches(name: str, target: str, by_pattern: bool) -> bool:
    if by_pattern:
        return re.fullmatch(target, name) is not None
    return name == target or name.endswith(f".{target}")


def _short(chosen: dict[str, nn.Module], model: nn.Module) -> set[str]:
    """The shortest ends of names that mean exactly the chosen layers, as PEFT matches them."""
    ends = {name.rsplit(".", 1)[-1] for name in chosen}
    meant = {name for name, _ in model.named_modules() if any(_matches(name, end, False) for end in ends)}
    return ends if meant == set(chosen) else set(chosen)
