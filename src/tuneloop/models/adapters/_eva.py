"""First values of LoRA from the rows: the directions in which the inputs of each layer vary most (EVA)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from tuneloop.errors import TrainingError
from tuneloop.models.quiet import quietly

NAME = "default"
TOKENS = 256
"""Supervised tokens of a batch, at least."""
PASSES = 500
"""Batches after which the directions must have settled."""


def explain(model: Any, batches: Callable[[int], Sequence[Any]], *, most: int) -> None:
    """Give every ``A`` the main directions of what its layer reads, and more rank to layers that need more of them.

    The directions are those of supervised tokens, found batch by batch until they settle. The ranks of all layers
    together stay what they were; a layer whose inputs need none loses its adapter.

    Args:
        model: A PEFT model whose adapter asks for EVA; it has plain LoRA of several ranks afterwards.
        batches: Gives batches (``ids``, ``mask``, ``labels``) of at least so many supervised tokens each.
        most: The highest rank that a layer may get.

    Raises:
        TrainingError: There are too few tokens for so many directions, a layer has too few inputs, or the directions
            do not settle.

    Source:
        Paischer et al., Parameter Efficient Fine-tuning via Explained Variance Adaptation, 2024, algorithm 1.
    """
    from peft import get_eva_state_dict, initialize_lora_eva_weights

    needed = 2 * most  # PEFT looks for twice as many directions as it keeps
    given = [_inputs(batch) for batch in batches(max(needed, TOKENS))]
    _enough(model, given, needed)
    left = iter(range(PASSES))

    def run(network: Any, inputs: dict[str, Tensor]) -> None:
        if next(left, None) is None:
            raise TrainingError(
                f"the directions of EVA did not settle in {PASSES} batches",
                where="train.adapter.lora.eva_config.tau",
                fix="lower tau, or write init_lora_weights: true",
            )
        _read(network, inputs)

    with quietly(), torch.random.fork_rng(devices=[]):
        found = get_eva_state_dict(
            model, given, forward_fn=run, gather_distributed_inputs=False, show_progress_bar=False
        )
        initialize_lora_eva_weights(model, eva_state_dict=found)
    config = model.peft_config[NAME]
    config.init_lora_weights, config.eva_config = True, None
    _measure(model, given)
    model.train()


def _inputs(batch: Any) -> dict[str, Tensor]:
    return {"input_ids": batch.ids, "attention_mask": batch.mask.long(), "labels": batch.labels}


def _read(model: Any, inputs: dict[str, Tensor]) -> None:
    """Run all blocks of the network, but not its output head."""
    model.get_base_model().base_model(
        input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"], use_cache=False
    )


def _enough(model: nn.Module, given: Sequence[dict[str, Tensor]], needed: int) -> None:
    tokens = min((int((inputs["labels"] != -100).sum()) for inputs in given), default=0)
    if tokens < needed:
        raise TrainingError(
            f"the training rows have {tokens} supervised tokens, but EVA needs {needed} for such ranks",
            where="train.adapter.lora.init_lora_weights",
            fix="add rows, lower r or eva_config.rho, or write init_lora_weights: true",
        )
    name, size = min(((name, layer.in_features) for name, layer in _layers(model).items()), key=lambda pair: pair[1])
    if size < needed:
        raise TrainingError(
            f"{name} reads {size} numbers, but EVA needs {needed} for such ranks",
            where="train.adapter.lora.r",
            fix="lower r or eva_config.rho, or write init_lora_weights: true",
        )


@torch.no_grad()
def _measure(model: nn.Module, given: Sequence[dict[str, Tensor]]) -> None:
    """Note at every layer what share of its inputs' variance lies in the directions that its ``A`` got."""
    sums = {name: _Variance(layer) for name, layer in _layers(model).items()}
    hooks = [layer.register_forward_pre_hook(sums[name].add) for name, layer in _layers(model).items()]
    model.eval()
    try:
        for inputs in given:
            learned = inputs["labels"] != -100
            for each in sums.values():
                each.where = learned
            _read(model, inputs)
    finally:
        for hook in hooks:
            hook.remove()
    for name, layer in _layers(model).items():
        layer.explained = sums[name].share()


class _Variance:
    """Sums up the variance of a layer's inputs, in all directions and in those of its ``A``."""

    where: Tensor

    def __init__(self, layer: Any) -> None:
        self.directions: Tensor = layer.lora_A[NAME].weight.detach()
        self.count = 0
        self.first: Tensor | float = 0.0  # sum
        self.second: Tensor | float = 0.0  # sum of squares
        self.inside: Tensor | float = 0.0  # sum of squares in the directions
        self.first_inside: Tensor | float = 0.0

    def add(self, _: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        x = inputs[0][self.where].float()
        along = x @ self.directions.T
        self.count += len(x)
        self.first, self.second = self.first + x.sum(0).double(), self.second + x.double().square().sum()
        self.first_inside = self.first_inside + along.sum(0).double()
        self.inside = self.inside + along.double().square().sum()

    def share(self) -> float:
        every = self.second - torch.as_tensor(self.first).square().sum() / self.count
        inside = self.inside - torch.as_tensor(self.first_inside).square().sum() / self.count
        return float(inside / every)


def _layers(model: nn.Module) -> dict[str, Any]:
    from peft.tuners.lora import LoraLayer

    return {name: layer for name, layer in model.named_modules() if isinstance(layer, LoraLayer)}
