"""Moves: how far a step goes, and how much of the gradient is chance, from a sample of the weights' numbers."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

EVERY, FIRST = 10, 3
"""Steps between measurements, and how many of the first steps are measured each."""
MOST = 512
"""Numbers of each tensor that are looked at, evenly spaced."""


class Moves:
    """Measures some steps; every number of a tensor stands for as many as were passed over, so squares are unbiased.

    Args:
        weights: The weights that learn.

    Formula:
        ``update_ratio`` is ``|w' - w| / |w|``. ``noise_share`` is ``1 - 2 g.g' / (|g|^2 + |g'|^2)`` for the gradients
        of two steps in a row, kept between 0 and 1: rows are drawn anew, so their chance parts are orthogonal on
        average, and what both gradients have in common is not chance.

    Source:
        McCandlish et al., An Empirical Model of Large-Batch Training, 2018, appendix A.1: the unbiased estimate of the
        squared gradient from batches of two sizes, which for one step and both together is ``g.g'``.
    """

    def __init__(self, weights: Sequence[nn.Parameter]) -> None:
        self.weights = list(weights)
        self._strides = [-(-weight.numel() // MOST) for weight in self.weights]
        self._stands_for: Tensor | None = None
        self._weights: Tensor | None = None
        self._gradient: tuple[int, Tensor] | None = None
        self._noise: Tensor | None = None

    def before(self, step: int, clipped_by: float) -> None:
        """Look at weights and gradients before the optimizer moves the weights.

        Args:
            step: The step that is made, counted from 1.
            clipped_by: What the gradient was multiplied by.
        """
        now = _measures(step)
        self._weights = self._sample([weight.detach() for weight in self.weights]) if now else None
        self._noise = None
        former, self._gradient = self._gradient, None
        follows = now and former is not None and former[0] == step - 1
        if not (follows or _measures(step + 1)) or clipped_by == 0:
            return
        gradient = self._sample([weight.grad for weight in self.weights]) / clipped_by
        if follows and former is not None:
            here, there, both = (
                self._dot(*pair) for pair in ((gradient,) * 2, (former[1],) * 2, (gradient, former[1]))
            )
            self._noise = 1 - 2 * both / (here + there)
        self._gradient = (step, gradient)

    def after(self) -> dict[str, float]:
        """The figures of the step, once the weights have moved; none where it is not measured."""
        if self._weights is None:
            return {}
        moved = self._sample([weight.detach() for weight in self.weights]) - self._weights
        ratio = (self._dot(moved, moved) / self._dot(self._weights, self._weights)).sqrt()
        noise = ratio.new_full((), torch.nan) if self._noise is None else self._noise
        told = dict(zip(("update_ratio", "noise_share"), torch.stack([ratio, noise]).tolist(), strict=True))
        self._weights = self._noise = None
        found = {name: figure for name, figure in told.items() if figure == figure and abs(figure) != torch.inf}
        return found | ({"noise_share": min(1.0, max(0.0, found["noise_share"]))} if "noise_share" in found else {})

    def _sample(self, tensors: Sequence[Tensor | None]) -> Tensor:
        """Some numbers of each tensor, one behind the other; zeros for one that is not there."""
        pairs = zip(self.weights, tensors, self._strides, strict=True)
        parts = [
            (weight.new_zeros(weight.shape) if tensor is None else tensor).reshape(-1)[::stride]
            for weight, tensor, stride in pairs
        ]
        return torch.cat(parts)

    def _dot(self, one: Tensor, other: Tensor) -> Tensor:
        if self._stands_for is None:
            pairs = zip(self.weights, self._strides, strict=True)
            each = [(weight.numel(), -(-weight.numel() // stride)) for weight, stride in pairs]
            shares = [torch.full((taken,), numbers / taken) for numbers, taken in each]
            self._stands_for = torch.cat(shares).to(one)
        return (self._stands_for * one * other).sum()


def _measures(step: int) -> bool:
    return step <= FIRST or step % EVERY == 0
