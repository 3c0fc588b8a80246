"""Losses on log-probabilities of whole answers: DPO, robust DPO, IPO, SimPO, ORPO and KTO, as formulas.

Everywhere ``chosen`` and ``rejected`` are natural logarithms of the probability of an answer given its prompt, in nats,
``(pairs,)``: summed over the answer's tokens, or ("mean") divided by their number. ``d`` is how much further apart the
model sees the two answers than the reference does.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

SURE = 1e-7
"""Mean log-probabilities above minus this are taken for this: the odds of a probability of 1 are infinite."""


def sigmoid(d: Tensor, beta: float, label_smoothing: float) -> Tensor:
    """DPO: ``-(1 - e) log s(beta d) - e log s(-beta d)``, where ``e`` is how often a label is thought to be wrong.

    Source:
        Rafailov et al., Direct Preference Optimization, 2023, equation 7; with ``e`` above 0: Mitchell, A note on DPO
        with noisy preferences, 2023.
    """
    return -(1 - label_smoothing) * logsigmoid(beta * d) - label_smoothing * logsigmoid(-beta * d)


def robust(d: Tensor, beta: float, label_smoothing: float) -> Tensor:
    """Robust DPO: ``(-(1 - e) log s(beta d) + e log s(-beta d)) / (1 - 2e)``, unbiased where labels flip at rate ``e``.

    Source:
        Chowdhury et al., Provably Robust DPO: Aligning Language Models with Noisy Feedback, 2024.
    """
    kept = (1 - label_smoothing) * logsigmoid(beta * d)
    return (label_smoothing * logsigmoid(-beta * d) - kept) / (1 - 2 * label_smoothing)


def ipo(mean_d: Tensor, beta: float) -> Tensor:
    """IPO: ``(d - 1 / (2 beta))^2``, with ``d`` from log-probabilities per token, as the authors' results are.

    Source:
        Azar et al., A General Theoretical Paradigm to Understand Learning from Human Preferences, 2023, equation 17.
    """
    return (mean_d - 1 / (2 * beta)) ** 2


def simpo(
    mean_chosen: Tensor, mean_rejected: Tensor, beta: float, simpo_gamma: float, label_smoothing: float
) -> Tensor:
    """SimPO: ``-log s(beta (chosen - rejected) - gamma)`` of log-probabilities per token; no reference.

    Source:
        Meng et al., SimPO: Simple Preference Optimization with a Reference-Free Reward, 2024, equation 6.
    """
    margin = beta * (mean_chosen - mean_rejected) - simpo_gamma
    return -(1 - label_smoothing) * logsigmoid(margin) - label_smoothing * logsigmoid(-margin)


def orpo(mean_chosen: Tensor, mean_rejected: Tensor, beta: float) -> Tensor:
    """ORPO: ``-chosen - beta log s(log odds(chosen) - log odds(rejected))`` of probabilities per token; no reference.

    Source:
        Hong et al., ORPO: Monolithic Preference Optimization without Reference Model, 2024, equations 4 to 7;
        ``beta`` is its lambda.
    """
    return -mean_chosen - beta * logsigmoid(_log_odds(mean_chosen) - _log_odds(mean_rejected))


def kto(ratio: Tensor, desirable: Tensor, beta: float, kl: float, weights: tuple[float, float]) -> Tensor:
    """KTO: ``w (1 - s(beta (r - kl)))`` for a desirable answer, ``w (1 - s(beta (kl - r)))`` for an undesirable one.

    Args:
        ratio: ``r``, log-probability of each answer less that of the reference, ``(answers,)``.
        desirable: Whether each is desirable, ``(answers,)``, bool.
        beta: How sharply a difference counts.
        kl: Divergence from the reference, at least 0.
        weights: ``w`` of desirable and of undesirable answers.

    Source:
        Ethayarajh et al., KTO: Model Alignment as Prospect Theoretic Optimization, 2024, equation 7.
    """
    side = torch.where(desirable, 1.0, -1.0)
    weight = torch.where(desirable, weights[0], weights[1])
    return weight * torch.sigmoid(-side * beta * (ratio - kl))


def _log_odds(mean: Tensor) -> Tensor:
    """``log(p / (1 - p))`` of ``p = exp(mean)``."""
    sane = mean.clamp(max=-SURE)
    return sane - torch.log(-torch.expm1(sane))
