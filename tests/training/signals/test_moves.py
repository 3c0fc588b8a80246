"""Steps and noise: exact where a tensor is small, unbiased where it is sampled."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tuneloop.training.signals.moves import Moves


def stepped(
    weights: list[nn.Parameter], gradients: list[list[torch.Tensor]], rate: float = 0.1
) -> list[dict[str, float]]:
    """What is told of steps of plain gradient descent."""
    moves, told = Moves(weights), []
    for step, each in enumerate(gradients, start=1):
        for weight, gradient in zip(weights, each, strict=True):
            weight.grad = gradient.clone() / 4  # as if it had been clipped to a quarter
        moves.before(step, 0.25)
        with torch.no_grad():
            for weight, gradient in zip(weights, each, strict=True):
                weight -= rate * gradient
        told.append(moves.after())
    return told


def test_the_ratio_of_small_weights_is_exact() -> None:
    weights = [nn.Parameter(torch.full((2, 3), 2.0)), nn.Parameter(torch.ones(4))]
    told = stepped(weights, [[torch.ones(2, 3), torch.zeros(4)]])
    assert told[0]["update_ratio"] == pytest.approx(((6 * 0.01) / (6 * 4 + 4)) ** 0.5, rel=1e-5)


def test_the_ratio_of_large_weights_is_close() -> None:
    torch.manual_seed(0)
    weights = [nn.Parameter(torch.randn(300, 400)), nn.Parameter(torch.randn(50))]
    gradients = [torch.randn(300, 400), torch.randn(50)]
    squares = [sum(float(each.detach().square().sum()) for each in these) for these in (gradients, weights)]
    told = stepped(weights, [gradients])
    assert told[0]["update_ratio"] == pytest.approx(0.1 * (squares[0] / squares[1]) ** 0.5, rel=0.1)


@pytest.mark.parametrize("share", [0.0, 0.25, 0.75, 1.0])
def test_the_share_of_noise_is_found(share: float) -> None:
    torch.manual_seed(0)
    weight = nn.Parameter(torch.ones(100, 400))
    common = torch.randn(100, 400) * (1 - share) ** 0.5
    drawn = [[common + torch.randn(100, 400) * share**0.5] for _ in range(2)]
    told = stepped([weight], drawn, rate=1e-3)
    assert "noise_share" not in told[0], "one gradient alone shows nothing"
    assert told[1]["noise_share"] == pytest.approx(share, abs=0.12)


def test_few_steps_are_measured() -> None:
    weight = nn.Parameter(torch.ones(3))
    told = stepped([weight], [[torch.ones(3)]] * 25)
    assert [step for step, found in enumerate(told, start=1) if found] == [1, 2, 3, 10, 20]
    assert [step for step, found in enumerate(told, start=1) if "noise_share" in found] == [2, 3, 10, 20]


def test_weights_that_are_zero_tell_nothing_wrong() -> None:
    weight = nn.Parameter(torch.zeros(3))
    assert stepped([weight], [[torch.zeros(3)]] * 2) == [{}, {}]
