"""Every optimizer against the update rule of its paper, worked out by hand in float64."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from pydantic import ValidationError

from tuneloop.parts import find, names
from tuneloop.training.optimizers import Optimizer

GRADIENTS = [0.5, -1.0, 0.25, 2.0]
RATE = 0.1


def ours(name: str, options: dict[str, Any]) -> float:
    weight = torch.nn.Parameter(torch.tensor([[1.0]]))
    part = find(Optimizer, name)(learning_rate=RATE, **options)
    optimizer = part.build([{"params": [weight], "weight_decay": part.weight_decay}])
    for gradient in GRADIENTS:
        weight.grad = torch.full_like(weight, gradient)
        optimizer.step()
    return weight.item()


def adam(decay: float, decoupled: bool) -> float:
    weight, first, second = 1.0, 0.0, 0.0
    for step, gradient in enumerate(GRADIENTS, start=1):
        if decoupled:
            weight *= 1 - RATE * decay
        else:
            gradient += decay * weight
        first, second = 0.9 * first + 0.1 * gradient, 0.999 * second + 0.001 * gradient**2
        weight -= RATE * (first / (1 - 0.9**step)) / ((second / (1 - 0.999**step)) ** 0.5 + 1e-8)
    return weight


def sgd(decay: float, momentum: float, nesterov: bool) -> float:
    weight, velocity = 1.0, 0.0
    for gradient in GRADIENTS:
        gradient += decay * weight
        velocity = momentum * velocity + gradient
        weight -= RATE * (gradient + momentum * velocity if nesterov else velocity)
    return weight


def rmsprop(decay: float, momentum: float) -> float:
    weight, square, velocity = 1.0, 0.0, 0.0
    for gradient in GRADIENTS:
        gradient += decay * weight
        square = 0.99 * square + 0.01 * gradient**2
        velocity = momentum * velocity + gradient / (square**0.5 + 1e-8)
        weight -= RATE * velocity
    return weight


def adafactor(decay: float, scaled: bool) -> float:
    weight, square = 1.0, 0.0
    for step, gradient in enumerate(GRADIENTS, start=1):
        keep = 1 - step**-0.8
        square = keep * square + (1 - keep) * gradient**2
        change = gradient / square**0.5
        rate = RATE * (max(1e-3, abs(weight)) if scaled else 1.0)
        weight = weight * (1 - decay * rate) - rate * change / max(1.0, abs(change))
    return weight


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("adamw", {"weight_decay": 0.1}, adam(0.1, decoupled=True)),
        ("adam", {"weight_decay": 0.1}, adam(0.1, decoupled=False)),
        ("adam", {}, adam(0.0, decoupled=False)),
        ("sgd", {"momentum": 0.0, "weight_decay": 0.1}, sgd(0.1, 0.0, nesterov=False)),
        ("sgd", {"momentum": 0.8}, sgd(0.0, 0.8, nesterov=False)),
        ("sgd", {"momentum": 0.8, "nesterov": True}, sgd(0.0, 0.8, nesterov=True)),
        ("rmsprop", {"weight_decay": 0.1}, rmsprop(0.1, 0.0)),
        ("rmsprop", {"momentum": 0.5}, rmsprop(0.0, 0.5)),
        ("adafactor", {"weight_decay": 0.1}, adafactor(0.1, scaled=False)),
        ("adafactor", {"scale_parameter": True}, adafactor(0.0, scaled=True)),
    ],
)
def test_steps_follow_the_formula(name: str, options: dict[str, Any], expected: float) -> None:
    assert ours(name, options) == pytest.approx(expected, abs=2e-6)


@pytest.mark.parametrize("name", names(Optimizer))
def test_every_optimizer_goes_downhill(name: str) -> None:
    weight = torch.nn.Parameter(torch.tensor([[3.0]]))
    optimizer = find(Optimizer, name)(learning_rate=0.05).build([{"params": [weight]}])
    for _ in range(50):
        optimizer.zero_grad()
        (weight**2).sum().backward()
        optimizer.step()
    assert abs(weight.item()) < 1.5


def test_adafactor_keeps_the_means_of_rows_and_columns_only() -> None:
    torch.manual_seed(0)
    weight, gradient = torch.nn.Parameter(torch.zeros(3, 4)), torch.randn(3, 4)
    optimizer = find(Optimizer, "adafactor")(learning_rate=RATE).build([{"params": [weight]}])
    weight.grad = gradient
    optimizer.step()
    kept = [value for value in optimizer.state[weight].values() if isinstance(value, torch.Tensor) and value.ndim]
    assert sum(value.numel() for value in kept) == 3 + 4
    rows, columns = (gradient**2).mean(dim=1), (gradient**2).mean(dim=0)
    change = gradient / (torch.outer(rows, columns) / rows.mean()).sqrt()
    expected = -RATE * change / max(1.0, change.square().mean().sqrt().item())
    assert torch.allclose(weight.detach(), expected, atol=1e-6)


def test_nesterov_without_momentum_is_refused() -> None:
    with pytest.raises(ValidationError, match="nesterov needs a momentum"):
        find(Optimizer, "sgd")(nesterov=True, momentum=0)
