"""Every optimizer against the update rule of its paper, worked out by hand in float64."""

from __future__ import annotations

import math
import sys
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from tuneloop.errors import MissingPackage, TrainingError
from tuneloop.parts import find, names
from tuneloop.training.optimizers import Optimizer

GRADIENTS = [0.5, -1.0, 0.25, 2.0]
RATE = 0.1


def made(name: str, **options: Any) -> Optimizer:
    return find(Optimizer, name).model_validate(options)


def ours(name: str, options: dict[str, Any]) -> float:
    weight = torch.nn.Parameter(torch.tensor([[1.0]]))
    part = made(name, learning_rate=RATE, **options)
    optimizer = part.build([{"params": [weight], "weight_decay": part.weight_decay, "kind": "matrix"}])
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


def lion(decay: float, betas: tuple[float, float] = (0.9, 0.99)) -> float:
    weight, mean = 1.0, 0.0
    for gradient in GRADIENTS:
        mixed = betas[0] * mean + (1 - betas[0]) * gradient
        weight -= RATE * (math.copysign(1.0, mixed) + decay * weight)
        mean = betas[1] * mean + (1 - betas[1]) * gradient
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
        ("lion", {}, lion(0.0)),
        ("lion", {"weight_decay": 0.3, "betas": (0.95, 0.5)}, lion(0.3, (0.95, 0.5))),
        ("adafactor", {"weight_decay": 0.1}, adafactor(0.1, scaled=False)),
        ("adafactor", {"scale_parameter": True}, adafactor(0.0, scaled=True)),
    ],
)
def test_steps_follow_the_formula(name: str, options: dict[str, Any], expected: float) -> None:
    assert ours(name, options) == pytest.approx(expected, abs=2e-6)


@pytest.mark.parametrize("name", names(Optimizer))
def test_every_optimizer_goes_downhill(name: str) -> None:
    weight = torch.nn.Parameter(torch.full((2, 2), 3.0))
    optimizer = made(name, learning_rate=0.05).build([{"params": [weight], "kind": "table"}])
    for _ in range(50):
        optimizer.zero_grad()
        torch.autograd.backward((weight**2).sum())
        optimizer.step()
    assert weight.abs().max() < 1.5


def test_adafactor_keeps_the_means_of_rows_and_columns_only() -> None:
    torch.manual_seed(0)
    weight, gradient = torch.nn.Parameter(torch.zeros(3, 4)), torch.randn(3, 4)
    optimizer = made("adafactor", learning_rate=RATE).build([{"params": [weight]}])
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
        made("sgd", nesterov=True, momentum=0)


def grouped(matrix: torch.nn.Parameter, table: torch.nn.Parameter, bias: torch.nn.Parameter) -> list[dict[str, Any]]:
    kinds = {"matrix": matrix, "table": table, "other": bias}
    return [{"params": [each], "weight_decay": 0.1 * (each.ndim > 1), "kind": kind} for kind, each in kinds.items()]


def orthogonal(matrix: torch.Tensor, steps: int = 5) -> torch.Tensor:
    """Newton-Schulz as Jordan's post has it, in float64."""
    x = matrix.double()
    x = x / x.norm()
    turned = x.shape[0] > x.shape[1]
    x = x.T if turned else x
    for _ in range(steps):
        a = x @ x.T
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
    done: torch.Tensor = x.T if turned else x
    return done


@pytest.mark.parametrize(("adjust", "times"), [("match_rms_adamw", 0.2 * 48**0.5), ("original", (48 / 16) ** 0.5)])
def test_muon_makes_the_step_of_a_matrix_orthogonal_and_leaves_the_rest_to_adamw(adjust: str, times: float) -> None:
    torch.manual_seed(0)
    matrix, table, bias = (torch.nn.Parameter(torch.randn(size)) for size in ((48, 16), (9, 4), (7,)))
    first = [weight.detach().clone() for weight in (matrix, table, bias)]
    same = [torch.nn.Parameter(weight.clone()) for weight in first[1:]]
    part = made("muon", learning_rate=0.02, adjust_lr_fn=adjust, weight_decay=0.1)
    optimizer = part.build(grouped(matrix, table, bias))
    decays = [{"params": [same[0]], "weight_decay": 0.1}, {"params": [same[1]], "weight_decay": 0.0}]
    adamw = torch.optim.AdamW(decays, lr=0.02, fused=True)
    mean, expected = torch.zeros(48, 16).double(), first[0].double()
    for _ in range(3):
        for weight in (matrix, table, bias):
            weight.grad = torch.randn_like(weight)
        for weight, other in zip(same, (table, bias), strict=True):
            weight.grad = other.grad
        optimizer.step()
        adamw.step()
        assert matrix.grad is not None
        gradient = matrix.grad.double()
        mean = 0.95 * mean + 0.05 * gradient
        ahead = 0.05 * gradient + 0.95 * mean
        expected = expected * (1 - 0.02 * 0.1) - 0.02 * times * orthogonal(ahead)
    step = (expected - first[0]).abs().max()
    assert (matrix - expected).abs().max() < 0.03 * step, "torch iterates in bfloat16"
    assert torch.equal(table, same[0])
    assert torch.equal(bias, same[1])
    assert [(group["by"], group["kind"]) for group in optimizer.param_groups] == [
        ("muon", "matrix"),
        ("adamw", "table"),
        ("adamw", "other"),
    ]


def test_muon_follows_the_rate_that_a_schedule_sets_and_a_loaded_state() -> None:
    torch.manual_seed(0)
    weights = [torch.nn.Parameter(torch.randn(size)) for size in ((6, 4), (5, 3), (4,))]
    optimizer = made("muon").build(grouped(*weights))

    def step() -> list[torch.Tensor]:
        before = [weight.detach().clone() for weight in weights]
        for weight in weights:
            weight.grad = torch.ones_like(weight)
        optimizer.step()
        return [weight.detach() - old for weight, old in zip(weights, before, strict=True)]

    optimizer.load_state_dict(optimizer.state_dict())
    step()
    optimizer.load_state_dict(optimizer.state_dict())
    for group in optimizer.param_groups:
        group["lr"] = 0.0
    assert all(not change.any() for change in step())
    assert len(optimizer.state) == 3


def test_adamw_8bit_follows_adamw_with_a_quarter_of_its_state() -> None:
    pytest.importorskip("bitsandbytes")
    torch.manual_seed(0)
    start = torch.randn(64, 64)
    ends, kept = [], []
    for name in ("adamw", "adamw_8bit"):
        torch.manual_seed(1)
        weight = torch.nn.Parameter(start.clone())
        optimizer = made(name, learning_rate=1e-2).build([{"params": [weight], "weight_decay": 0.1}])
        for _ in range(20):
            weight.grad = torch.randn_like(weight) + weight.detach()
            optimizer.step()
        ends.append(weight.detach())
        kept.append({name: t.dtype for name, t in optimizer.state[weight].items() if isinstance(t, torch.Tensor)})
    moved = (ends[0] - start).norm()
    assert 0 < (ends[0] - ends[1]).norm() < 0.05 * moved
    assert kept[1]["state1"] == kept[1]["state2"] == torch.uint8


def test_small_matrices_keep_their_state_in_fp32_unless_asked() -> None:
    pytest.importorskip("bitsandbytes")
    found = []
    for options in ({}, {"min_8bit_size": 16}):
        weight = torch.nn.Parameter(torch.ones(4, 4))
        optimizer = made("adamw_8bit", **options).build([{"params": [weight]}])
        weight.grad = torch.ones_like(weight)
        optimizer.step()
        found.append(optimizer.state[weight]["state1"].dtype)
    assert found == [torch.float32, torch.uint8]


def test_paged_states_away_from_cuda_are_refused() -> None:
    weight = torch.nn.Parameter(torch.ones(2, 2))
    with pytest.raises(TrainingError, match="paged states need a CUDA device, this run is on cpu") as error:
        made("adamw_8bit", paged=True).build([{"params": [weight]}])
    assert "leave paged out" in error.value.problems[0].fix


def test_a_missing_bitsandbytes_is_named_with_its_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "tuneloop.training.optimizers._eight_bit", raising=False)
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    monkeypatch.setitem(sys.modules, "bitsandbytes.optim", None)
    with pytest.raises(MissingPackage, match="bitsandbytes") as error:
        made("adamw_8bit").build([{"params": [torch.nn.Parameter(torch.ones(2, 2))]}])
    assert "pip install" in error.value.problems[0].fix
