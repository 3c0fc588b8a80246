"""The pulls act beside the gradient as their formulas say, and show in the receipts."""

from __future__ import annotations

import json

import pytest
import torch
from tests.training.conftest import Bench, section_of

from tuneloop.training.pull import Pull

RATE = 0.1


def stepped(l1: float, l2_start: float, start: torch.Tensor, gradients: list[torch.Tensor]) -> torch.Tensor:
    weight = torch.nn.Parameter(start.clone())
    optimizer = torch.optim.SGD([weight], lr=RATE)
    pull = Pull(optimizer, l1, l2_start)
    for gradient in gradients:
        weight.grad = gradient
        optimizer.step()
    assert pull.steps == len(gradients)
    return weight.detach()


def test_the_pull_to_the_start_goes_a_share_of_the_way_back_after_every_step() -> None:
    torch.manual_seed(0)
    start, gradients = torch.randn(3, 4), list(torch.randn(5, 3, 4))
    expected = start.clone()
    for gradient in gradients:
        expected = expected - RATE * gradient
        expected = expected - RATE * 2.0 * (expected - start)
    assert torch.allclose(stepped(0.0, 2.0, start, gradients), expected, atol=1e-6)


def test_a_pull_that_would_overshoot_ends_at_the_start() -> None:
    start = torch.ones(2, 2)
    assert torch.equal(stepped(0.0, 1e3, start, [torch.ones(2, 2)]), start)


def test_l1_moves_matrices_towards_zero_and_no_further() -> None:
    start = torch.tensor([[1.0, -1.0, 0.05, -0.05]])
    moved = stepped(1.0, 0.0, start, [torch.zeros(1, 4)])
    assert torch.allclose(moved, torch.tensor([[0.9, -0.9, 0.0, 0.0]]))
    assert (moved == 0).sum() == 2


def test_l1_leaves_norms_and_biases() -> None:
    start = torch.tensor([1.0, -1.0])
    assert torch.equal(stepped(1.0, 0.0, start, [torch.zeros(2)]), start)


def test_pulls_follow_the_rate_of_each_group() -> None:
    weights = [torch.nn.Parameter(torch.ones(1, 1)) for _ in range(2)]
    optimizer = torch.optim.SGD([{"params": [weights[0]], "lr": 0.1}, {"params": [weights[1]], "lr": 0.2}])
    Pull(optimizer, 1.0, 0.0)
    for weight in weights:
        weight.grad = torch.zeros_like(weight)
    optimizer.step()
    assert [weight.item() for weight in weights] == pytest.approx([0.9, 0.8])


def test_receipts_tell_how_far_the_pulls_let_the_weights_go(bench: Bench) -> None:
    def told(**regularization: float) -> dict[str, dict[str, float]]:
        run, _ = bench.train(section_of(max_steps=6, regularization=regularization))
        found: dict[str, dict[str, float]] = json.loads((run.folder / "receipts.json").read_text())
        return found

    far, near, sparse = told(l2_start=1e-9), told(l2_start=100.0), told(l1=1.0)
    assert near["pull"]["steps"] == 6
    assert 0 < near["pull"]["distance"] < 0.8 * far["pull"]["distance"]
    assert far["pull"]["zeros"] is None
    assert sparse["pull"]["distance"] is None
    assert 0.2 < sparse["pull"]["zeros"] < 1
    assert told()["pull"] is None
