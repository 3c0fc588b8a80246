"""NEFTune: noise on the embedded tokens while training, which makes answers less like copies of the rows."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from tuneloop.models.stream import current

PROOF_TOKENS = 64
"""Tokens that the receipt looks at."""


def add_noise(model: nn.Module, alpha: float) -> None:
    """Let a model add noise to what its input embeddings give, in training mode only.

    Each number gets one drawn evenly from ``-alpha / sqrt(L d)`` to ``alpha / sqrt(L d)``, with ``L`` the tokens of a
    row of the batch (padding counted, as TRL does; of each document in a packed stream) and ``d`` the width. The
    draws come from torch's own generator, whose state is in every checkpoint.

    Args:
        model: A model of transformers, or a PEFT model around one.
        alpha: The strength; the paper uses 5 to 15.

    Source:
        Jain et al., NEFTune: Noisy Embeddings Improve Instruction Finetuning, 2023, algorithm 1.
    """

    def noisy(module: nn.Module, _: Any, embedded: Tensor) -> Tensor:
        if not module.training:
            return embedded
        documents = current()
        lengths = documents.lengths(embedded.device)[:, None] if documents else embedded.shape[-2]
        return embedded + torch.empty_like(embedded).uniform_(-alpha, alpha) / (lengths * embedded.shape[-1]) ** 0.5

    _embeddings(model).register_forward_hook(noisy)


def noise_proof(model: nn.Module, alpha: float) -> dict[str, float]:
    """Measure the noise on the embeddings of some tokens: its farthest reach in training mode and in evaluation mode.

    Args:
        model: A model that :func:`add_noise` was called on.
        alpha: The strength it was given.
    """
    embeddings = _embeddings(model)
    was = embeddings.training
    ids = torch.arange(PROOF_TOKENS, device=next(model.parameters()).device)[None]
    ids = ids % int(embeddings.weight.shape[0])  # type: ignore[index]
    found: dict[str, float] = {"alpha": alpha}
    with torch.no_grad():
        embeddings.eval()
        still = embeddings(ids)
        found["evaluation"] = float((embeddings(ids) - still).abs().max())
        embeddings.train()
        found["training"] = float((embeddings(ids) - still).abs().max())
        found["bound"] = alpha / (PROOF_TOKENS * still.shape[-1]) ** 0.5
    embeddings.train(was)
    return found


def _embeddings(model: Any) -> nn.Module:
    found: nn.Module = model.get_input_embeddings()
    return found
