"""LoRA: small matrices beside the frozen weights learn."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal, final

from pydantic import Field, field_validator

from tuneloop.errors import TrainingError
from tuneloop.models.adapters import Adapter
from tuneloop.models.layers import blocks, classifier_head, ending, linear_layers, sizes, with_ends
from tuneloop.models.quiet import quietly
from tuneloop.parts import Section

if TYPE_CHECKING:
    from torch import nn

ALL = "all-linear"
_WHOLE = "train.adapter.lora.modules_to_save"


class Eva(Section):
    """How EVA finds directions and shares out ranks."""

    rho: float = Field(2.0, ge=1)
    """A layer may get up to ``rho * r``, where the rows vary most; others get less. 1 gives each ``r``."""
    tau: float = Field(0.99, gt=0, le=1)
    """Directions have settled once a further batch leaves their cosine similarity above this."""


@final
class Lora(Adapter):
    """Adds a product of two small matrices to linear layers; only these learn.

    The layer's output becomes ``W x + (lora_alpha / r) B A x`` with ``A`` of ``r`` rows and ``B`` of ``r`` columns;
    ``B`` starts at zero, so that training starts at the base model.

    ``pissa`` and ``olora`` take their first matrices out of the weights themselves, which changes what stays frozen.
    Such an adapter is saved as the plain LoRA of twice the rank that equals it on the untouched base; training that
    goes on from it goes on at twice the rank. With DoRA the sum ``V = W + (lora_alpha / r) B A`` is scaled, row by row,
    to a learned length: ``m V / |V|``.

    Source:
        Hu et al., LoRA, 2021, section 4.1; Kalajdzievski, rsLoRA, 2023; Liu et al., DoRA, 2024, equation 5;
        Meng et al., PiSSA, 2024; Büyükakyüz, OLoRA, 2024; Paischer et al., EVA, 2024; Hayou et al., LoRA+, 2024.
    """

    r: int = Field(8, ge=1)
    """Rank of the added product."""
    lora_alpha: int = Field(16, ge=1)
    """Scale: the product is multiplied by ``lora_alpha / r``."""
    lora_dropout: float = Field(0.05, ge=0, lt=1)
    """Share of the product's inputs set to zero in training."""
    target_modules: list[str] | str = ALL
    """Layers that get one: ends of module names, a regular expression, or ``all-linear`` (all but the output head)."""
    layers_to_transform: list[int] | None = Field(None, min_length=1)
    """Blocks whose layers get one, counted from 0; null takes all."""
    use_rslora: bool = False
    """Scale by ``lora_alpha / sqrt(r)`` instead, so that the steps of a high rank do not shrink."""
    use_dora: bool = False
    """Learn a length for each row of the adapted weights too; slower, and often better at a low rank."""
    init_lora_weights: Literal[True, "gaussian", "pissa", "olora", "eva"] = True
    """First values: ``true`` (random ``A``), ``gaussian`` (normal ``A``), the strongest part of each weight, by its
    singular values (``pissa``) or its QR decomposition (``olora``), or the directions in which what the layers read
    of the training rows varies most (``eva``)."""
    eva_config: Eva | None = None
    """How ``eva`` shares out the ranks; null takes the defaults."""
    modules_to_save: list[str] | None = Field(None, min_length=1)
    """Modules that learn whole beside it, by ends of their names: ``[embed_tokens, norm]``. An embedding that shares
    its weights with the output head gets its own. A classifier's new head always learns."""
    loraplus_lr_ratio: float = Field(1.0, ge=1)
    """How many times faster ``B`` learns than ``A`` (LoRA+); the paper advises 16."""

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
        from peft import EvaConfig, LoraConfig, PeftModel, get_peft_model
        from transformers.pytorch_utils import Conv1D

        from tuneloop.models.quantized import quantized_layers
        from tuneloop.models.residual import remember_first
        from tuneloop.models.vocabulary import rows_to_learn

        if quantized_layers(model):
            self.beside_quantized()
        if isinstance(model, PeftModel):
            return self._go_on(model)
        chosen = self._choose(model)
        self._rank_fits(chosen)
        turned = any(isinstance(layer, Conv1D) for layer in chosen.values())
        rows = rows_to_learn(model, self.modules_to_save or [], where=_WHOLE)
        self._can_begin(type(model).__name__, turned=turned, rows=bool(rows))
        config = LoraConfig(
            r=self.r,
            lora_alpha=self.lora_alpha,
            lora_dropout=self.lora_dropout,
            target_modules=sorted(_short(chosen, model)),
            use_rslora=self.use_rslora,
            use_dora=self.use_dora,
            init_lora_weights=self.init_lora_weights,
            eva_config=EvaConfig(**self._eva.model_dump()) if self.init_lora_weights == "eva" else None,
            modules_to_save=sorted({*self._whole(model, chosen), *classifier_head(model)}) or None,
            trainable_token_indices=rows or None,
            fan_in_fan_out=turned,
            task_type="SEQ_CLS" if classifier_head(model) else "CAUSAL_LM",
        )
        with quietly():
            adapted: nn.Module = get_peft_model(model, config)
        if self._takes_from_base:
            remember_first(adapted)
        return adapted.train()

    def beside_quantized(self) -> None:
        """Agree, unless the first values change the matrices.

        Raises:
            TrainingError: ``pissa`` or ``olora`` would have to round again what they leave of each matrix.
        """
        if self._takes_from_base:
            raise TrainingError(
                f"the base is quantised, and {self.init_lora_weights} would change its matrices",
                where="train.adapter.lora.init_lora_weights",
                fix="write init_lora_weights: true (or gaussian, or eva), or leave model.quantization out",
            )

    def begin(self, model: Any, batches: Callable[[int], Sequence[Any]]) -> None:
        """Find the directions of ``eva`` in the rows; an adapter that goes on being trained keeps what it learned.

        Raises:
            TrainingError: The rows have too few tokens for so many directions.
        """
        if model.peft_config["default"].init_lora_weights != "eva":
            return
        from tuneloop.models.adapters._eva import explain

        explain(model, batches, most=round(self.r * self._eva.rho))

    def pace(self, name: str) -> float:
        """``loraplus_lr_ratio`` for the matrices ``B``, 1 for all else."""
        return self.loraplus_lr_ratio if ".lora_B." in name else 1.0

    def acts(self, model: nn.Module) -> dict[str, Any]:
        """Read rank, scale, dropout and what learns from the adapted layers themselves."""
        from peft.tuners.lora import LoraLayer
        from peft.tuners.trainable_tokens import TrainableTokensLayer
        from peft.utils import ModulesToSaveWrapper

        layers = {name: layer for name, layer in model.named_modules() if isinstance(layer, LoraLayer)}
        whole = [name for name, module in model.named_modules() if isinstance(module, ModulesToSaveWrapper)]
        return {
            "layers": len(layers),
            "kinds": sorted({name.rpartition(".")[2] for name in layers}),
            "rank": sorted({layer.r["default"] for layer in layers.values()}),
            "scale": sorted({float(layer.scaling["default"]) for layer in layers.values()}),
            "dropout": sorted({float(getattr(layer.lora_dropout["default"], "p", 0)) for layer in layers.values()}),
            "lengths_learned": sum("default" in layer.lora_magnitude_vector for layer in layers.values()),
            "taken_from_base": sum(hasattr(layer, "first_A") for layer in layers.values()),
            "explained_variance": _explained(layers.values()),
            "token_rows": {
                _plain_name(name).removesuffix(".token_adapter"): len(module.token_indices["default"])
                for name, module in model.named_modules()
                if isinstance(module, TrainableTokensLayer)
            },
            "whole_modules": [_plain_name(name) for name in whole],
        }

    @property
    def _eva(self) -> Eva:
        return self.eva_config or Eva()

    @property
    def _takes_from_base(self) -> bool:
        return self.init_lora_weights in ("pissa", "olora")

    def _choose(self, model: nn.Module) -> dict[str, nn.Module]:
        layers = linear_layers(model)
        chosen = layers if self.target_modules == ALL else self._targets(layers)
        if self.layers_to_transform is None:
            return chosen
        names = blocks(model)
        if max(self.layers_to_transform) >= len(names) or min(self.layers_to_transform) < 0:
            raise TrainingError(
                f"layers_to_transform is {self.layers_to_transform}, but the model has {len(names)} blocks",
                where="train.adapter.lora.layers_to_transform",
                fix=f"give numbers from 0 to {len(names) - 1}",
            )
        inside = tuple(f"{names[index]}." for index in self.layers_to_transform)
        kept = {name: layer for name, layer in chosen.items() if name.startswith(inside)}
        if not kept:
            raise TrainingError(
                f"the blocks {self.layers_to_transform} hold none of the layers that target_modules names",
                where="train.adapter.lora.layers_to_transform",
                fix="name layers of these blocks in target_modules, or other blocks",
            )
        return kept

    def _targets(self, layers: dict[str, nn.Module]) -> dict[str, nn.Module]:
        by_pattern = isinstance(self.target_modules, str)
        wanted = [self.target_modules] if isinstance(self.target_modules, str) else self.target_modules
        chosen: set[str] = set()
        for target in wanted:
            found = {name for name in layers if re.fullmatch(target, name)} if by_pattern else ending(layers, target)
            if not found:
                there = ", ".join(sorted({name.rsplit(".", 1)[-1] for name in layers}))
                raise TrainingError(
                    f"target_modules {target!r} matches no linear layer of the model",
                    where="train.adapter.lora.target_modules",
                    fix=f"choose among {there}, or write all-linear",
                )
            chosen |= found
        return {name: layer for name, layer in layers.items() if name in chosen}

    def _whole(self, model: nn.Module, adapted: dict[str, nn.Module]) -> set[str]:
        """Names of the modules that learn whole, such that PEFT, which looks at ends of letters, takes no others."""
        from tuneloop.models.quantized import quantized_layers

        where, ends = _WHOLE, self.modules_to_save or []
        chosen = with_ends(model, ends, where=where)
        for name in sorted(chosen):
            if quantized_layers(model.get_submodule(name)):
                raise TrainingError(
                    f"{name} is to learn whole, but its matrix is quantised",
                    where=where,
                    fix="name only embeddings, norms and the output head, or leave model.quantization out",
                )
            touched = [other for other in adapted if f"{other}.".startswith(f"{name}.")]
            if touched:
                raise TrainingError(
                    f"{name} is to learn whole, but {touched[0]} in it is to get an adapter",
                    where=where,
                    fix="name it in one of target_modules and modules_to_save only",
                )
        every = [name for name, _ in model.named_modules()]
        taken = {name for name in every if any(name.endswith(end) for end in ends)}
        return set(ends) if taken == chosen else chosen

    def _can_begin(self, kind: str, *, turned: bool, rows: bool) -> None:
        where = "train.adapter.lora.init_lora_weights"
        if turned and self.init_lora_weights == "olora":
            raise TrainingError(
                f"olora cannot start from the turned matrices of {kind}",
                where=where,
                fix="write init_lora_weights: pissa",
            )
        if rows and self.init_lora_weights == "eva":
            raise TrainingError(
                "eva cannot look at a network whose rows for new tokens learn beside it",
                where=where,
                fix="write init_lora_weights: true, or modules_to_save with both ends of the network",
            )
        if self.eva_config is not None and self.init_lora_weights != "eva":
            raise TrainingError(
                "eva_config does nothing without eva",
                where="train.adapter.lora.eva_config",
                fix="write init_lora_weights: eva, or leave eva_config out",
            )

    def _rank_fits(self, chosen: dict[str, nn.Module]) -> None:
        ranks = {name: min(sizes(layer)) for name, layer in chosen.items()}
        name, smallest = min(ranks.items(), key=lambda item: item[1])
        if self.r > smallest:
            raise TrainingError(
                f"r is {self.r}, but {name} has only rank {smallest}: more cannot be learned there",
                where="train.adapter.lora.r",
                fix=f"give at most {smallest}, or leave {name.rsplit('.', 1)[-1]} out of target_modules",
            )

    def _go_on(self, model: Any) -> nn.Module:
        from peft.utils import ModulesToSaveWrapper

        from tuneloop.models.residual import doubled

        config = model.peft_config["default"]
        base = model.get_base_model()
        layers = linear_layers(base)
        r, lora_alpha = self.r, float(self.lora_alpha)
        if self._takes_from_base:
            r, lora_alpha = doubled(r, lora_alpha, self.use_rslora)
        plain = ("lora_dropout", "use_rslora", "use_dora")
        wanted = {"r": r, "lora_alpha": lora_alpha, **{name: getattr(self, name) for name in plain}}
        there = {name: getattr(config, name) for name in wanted}
        wanted["target_modules"] = sorted(self._choose(base))
        there["target_modules"] = sorted(name for name in layers if hasattr(base.get_submodule(name), "lora_A"))
        whole = with_ends(base, self.modules_to_save or [], where=_WHOLE)
        if self.init_lora_weights == "eva" and set(there["target_modules"]) < set(wanted["target_modules"]):
            wanted["target_modules"] = there["target_modules"]  # layers that the rows gave no rank
        wanted["modules_to_save"] = sorted({*whole, *classifier_head(base)})
        there["modules_to_save"] = sorted(
            name for name, module in base.named_modules() if isinstance(module, ModulesToSaveWrapper)
        )
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


def _explained(layers: Iterable[Any]) -> dict[str, float] | None:
    shares = [layer.explained for layer in layers if hasattr(layer, "explained")]
    return {"least": min(shares), "mean": sum(shares) / len(shares), "most": max(shares)} if shares else None


def _plain_name(name: str) -> str:
    return name.removeprefix("base_model.model.")


def _short(chosen: dict[str, nn.Module], model: nn.Module) -> set[str]:
    """The shortest ends of names that mean exactly the chosen layers, as PEFT matches them."""
    ends = {name.rsplit(".", 1)[-1] for name in chosen}
    names = [name for name, _ in model.named_modules()]
    meant = set[str]().union(*(ending(names, end) for end in ends))
    return ends if meant == set(chosen) else set(chosen)
