"""Blocks that are computed again in the backward pass give the same loss and the same gradients, dropout included."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tests.training.conftest import make_bench, section_of
from tests.truth.families import FAMILIES, make
from tests.truth.oracle import Gradients, documents, gradients, kin
from tests.truth.test_packing import LENGTHS, SFT, readied

from tuneloop.errors import TrainingError
from tuneloop.models.adapters import Adapter
from tuneloop.models.recompute import keep, recompute, recomputed
from tuneloop.parts import find
from tuneloop.tasks import Batch

EXAMPLES = [*documents(LENGTHS), *kin()]


class Calls:
    """Counts how often the blocks of a model run."""

    def __init__(self, model: Any) -> None:
        self.count = 0
        inner = model.get_base_model() if hasattr(model, "get_base_model") else model
        blocks = next(
            module
            for module in inner.modules()
            if isinstance(module, torch.nn.ModuleList) and len(module) == inner.config.num_hidden_layers
        )
        for block in blocks:
            first = next(module for module in block.modules() if not list(module.children()))
            first.register_forward_pre_hook(self._one)

    def _one(self, *_: Any) -> None:
        self.count += 1

    def taken(self) -> int:
        """The count since the last time."""
        count, self.count = self.count, 0
        return count


def passed(model: Any, batch: Batch) -> tuple[float, Gradients]:
    torch.manual_seed(5)
    loss = SFT.loss(model, batch)
    loss.backward()
    return loss.item(), gradients(model)


def compare(model: Any, packing: bool) -> None:
    calls = Calls(model)
    for batch in [SFT.collate(EXAMPLES, 0), *([SFT.pack(EXAMPLES)] if packing else [])]:
        keep(model)
        passed(model, batch)  # the first pass tries what the model can do
        calls.taken()
        loss, wanted = passed(model, batch)
        usual = calls.taken()
        recompute(model)
        assert recomputed(model)
        again, found = passed(model, batch)
        assert calls.taken() == 2 * usual, "nothing was computed again"
        assert again == loss
        assert found.keys() == wanted.keys()
        for name, gradient in wanted.items():
            torch.testing.assert_close(found[name], gradient, rtol=1e-6, atol=1e-6 * float(gradient.abs().max()))


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_learns_the_same_or_refuses(family: str) -> None:
    model = make(family).train()
    packing = readied(model).packing
    if not model.supports_gradient_checkpointing:
        with pytest.raises(TrainingError, match="second time"):
            recompute(model)
        return
    compare(model, packing)


@pytest.mark.parametrize("dropout", [0.0, 0.3])
@pytest.mark.parametrize("family", ["llama", "qwen3", "mistral", "gpt2", "phi3", "mixtral"])
def test_adapters_learn_the_same_with_their_dropout(family: str, dropout: float) -> None:
    """With frozen embeddings nothing that a block is given needs a gradient: the classic way to lose them all."""
    torch.manual_seed(1)
    adapter = find(Adapter, "lora")(r=4, lora_dropout=dropout, target_modules="all-linear")
    model = adapter.attach(make(family)).train()
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.1)
    compare(model, readied(model).packing)
    learning = [weight for weight in model.parameters() if weight.requires_grad]
    SFT.loss(model, SFT.collate(EXAMPLES, 0)).backward()
    assert all(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in learning)


def test_a_run_with_and_one_without_end_with_the_same_weights(tmp_path: Path, tiny_model: Path) -> None:
    """Dropout of 0.1, uneven last steps, two epochs."""
    ends = []
    for again in (False, True):
        bench = make_bench(tmp_path / str(again), tiny_model)
        shape = {"size": 6, "per_device_train_batch_size": 4, "gradient_checkpointing": again}
        _, model = bench.train(section_of(batch=shape))
        ends.append(load_file(next(model.weights.glob("*.safetensors"))))
    one, other = ends
    assert one.keys() == other.keys()
    assert max(float((one[name] - other[name]).abs().max()) for name in one) <= 1e-6
