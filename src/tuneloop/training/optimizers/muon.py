"""Muon: the step of a matrix has all its singular values made equal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, final

from pydantic import Field, model_validator

from tuneloop.training.optimizers import Optimizer

if TYPE_CHECKING:
    import torch


@final
class Muon(Optimizer):
    """Momentum made orthogonal, for the matrices of hidden layers; AdamW for all other weights.

    A few Newton-Schulz iterations bring the singular values of a matrix's momentum close to 1, so that rare directions
    learn as fast as common ones. It is made for whole weights (``adapter: full``); on a CPU its step takes many times
    as long as AdamW's. Embeddings, the output head, norms and biases learn with AdamW at the same rate; the receipts
    say which weights learned how.

    Source:
        Jordan, Muon, 2024; Liu et al., Muon is Scalable for LLM Training, 2025, section 2.2 (``match_rms_adamw``).
    """

    momentum: float = Field(0.95, ge=0, lt=1)
    """How much of the running mean of the gradient is kept."""
    nesterov: bool = True
    """Look ahead along the momentum before it is made orthogonal."""
    ns_steps: int = Field(5, ge=1, lt=100)
    """Newton-Schulz iterations."""
    adjust_lr_fn: Literal["original", "match_rms_adamw"] = "match_rms_adamw"
    """How the rate follows the shape of a matrix: ``match_rms_adamw`` makes steps as long as AdamW's, so that AdamW's
    rates fit; ``original`` multiplies by ``sqrt(max(1, rows / columns))``."""
    betas: tuple[float, float] = (0.9, 0.999)
    """Decay of AdamW's running means, for the other weights."""
    eps: float = Field(1e-8, gt=0)
    """Added to the root of AdamW's second mean, for the other weights."""

    @model_validator(mode="after")
    def _can_act(self) -> Muon:
        if self.nesterov and self.momentum == 0:
            raise ValueError("nesterov needs a momentum above 0")
        return self

    def build(self, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
        """Make ``torch.optim.Muon`` and ``torch.optim.AdamW`` (fused), which step as one."""
        import torch

        from tuneloop.training.optimizers._steps import Together

        matrices = [{**group, "by": "muon"} for group in groups if group["kind"] == "matrix"]
        others = [{**group, "by": "adamw"} for group in groups if group["kind"] != "matrix"]
        parts: list[torch.optim.Optimizer] = []
        if matrices:
            parts.append(
                torch.optim.Muon(
                    matrices,
                    lr=self.learning_rate,
                    weight_decay=self.weight_decay,
                    momentum=self.momentum,
                    nesterov=self.nesterov,
                    ns_steps=self.ns_steps,
                    adjust_lr_fn=self.adjust_lr_fn,
                )
            )
        if others:
            parts.append(torch.optim.AdamW(others, self.learning_rate, self.betas, self.eps, fused=True))
        return Together(parts)
