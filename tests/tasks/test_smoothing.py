"""Label smoothing is torch's, in training only."""

from __future__ import annotations

import pytest
import torch
from tests.models.test_lora import llama, lora
from torch.nn.functional import cross_entropy

from tuneloop.parts import find
from tuneloop.tasks import Task, Tokens, padded

ROWS = [Tokens((5, 6, 7, 8), (0, 1, 1, 1)), Tokens((9, 3, 2), (0, 0, 1))]


@pytest.mark.parametrize("name", ["sft", "pretrain"])
@pytest.mark.parametrize("adapted", [True, False], ids=["lora", "full"])
def test_loss_and_gradient_equal_torch(name: str, adapted: bool) -> None:
    task = find(Task, name).model_validate({"label_smoothing_factor": 0.15})
    model = lora(lora_dropout=0.0).attach(llama()) if adapted else llama()
    batch = padded(ROWS, pad=0)
    learned = [weight for weight in model.parameters() if weight.requires_grad]

    loss = task.loss(model.train(), batch)
    gradients = torch.autograd.grad(loss, learned)
    logits = model(input_ids=batch.ids).logits[:, :-1]
    expected = cross_entropy(
        logits.flatten(0, 1), batch.labels[:, 1:].flatten(), ignore_index=-100, label_smoothing=0.15, reduction="sum"
    )
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    for ours, theirs in zip(gradients, torch.autograd.grad(expected, learned), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-5, rtol=1e-4)


def test_evaluation_measures_the_rows_themselves() -> None:
    model, batch = llama().eval(), padded(ROWS, pad=0)
    smooth, plain = (
        find(Task, "sft").model_validate({"label_smoothing_factor": factor}).loss(model, batch) for factor in (0.3, 0.0)
    )
    assert smooth == plain
